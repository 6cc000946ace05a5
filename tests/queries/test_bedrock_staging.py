"""Serverless inference in an AWS bill: what the bill says of who called and what answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.queries.bills import stage_rows

if TYPE_CHECKING:
    from pathlib import Path

ALICE = "arn:aws:iam::000000000042:user/alice"
EDITION = "Claude Sonnet 4 (Amazon Bedrock Edition)"


def write_line(folder: Path, **columns: object) -> Path:
    """Write a Parquet file of CUR 2.0 with one line: a dollar of Bedrock, but for `columns`."""
    line: dict[str, object] = {
        "bill_payer_account_id": "000000000001",
        "bill_billing_period_start_date": "2026-05-01T00:00:00Z",
        "line_item_usage_start_date": "2026-05-17T03:00:00Z",
        "line_item_usage_end_date": "2026-05-17T04:00:00Z",
        "line_item_currency_code": "USD",
        "line_item_line_item_type": "Usage",
        "line_item_product_code": "AmazonBedrock",
        "line_item_unblended_cost": 1.0,
    }
    path = folder / "cur.parquet"
    pl.DataFrame([line | columns]).write_parquet(path)
    return path


def tags_of(folder: Path, **columns: object) -> object:
    (row,) = stage_rows("aws_cur", [write_line(folder, **columns)])
    return row["tags"]


@pytest.mark.parametrize(
    ("usage", "model", "token_type"),
    [
        ("USE1-Claude4.6Sonnet-input-tokens", "Claude4.6Sonnet", "input"),
        ("USE1-Claude4.6Sonnet-output-tokens", "Claude4.6Sonnet", "output"),
        ("USW2-NovaPro-cache-read-input-token-count", "NovaPro", "cache_read"),
        ("NovaPro-cache-write-input-token-count", "NovaPro", "cache_write"),
        ("EUC1-Llama3-3-70B-output-tokens-batch", "Llama3-3-70B", "output"),
        ("USE1-Guardrail-ContentPolicyUnitsConsumed", None, None),
        (None, None, None),
    ],
)
def test_a_usage_type_tells_the_model_and_the_kind_of_token(
    tmp_path: Path, usage: str | None, model: str | None, token_type: str | None
) -> None:
    wanted = {"x_model": model, "x_token_type": token_type}
    tags = tags_of(tmp_path, line_item_usage_type=usage) or {}
    assert tags == {key: value for key, value in wanted.items() if value is not None}


def test_what_the_product_says_of_its_model_comes_first(tmp_path: Path) -> None:
    path = write_line(tmp_path, line_item_usage_type="USE1-ClaudeX-input-tokens")
    frame = pl.read_parquet(path).with_columns(pl.lit('{"model": "Claude X 4.6"}').alias("product"))
    frame.write_parquet(path)
    (row,) = stage_rows("aws_cur", [path])
    assert row["tags"] == {"x_model": "Claude X 4.6", "x_token_type": "input"}


def test_a_model_that_is_sold_by_a_marketplace_is_its_product(tmp_path: Path) -> None:
    path = write_line(
        tmp_path,
        bill_billing_entity="AWS Marketplace",
        line_item_legal_entity="Amazon Web Services, Inc.",
        line_item_product_code="9b2k3",
        line_item_usage_type="USE1-MP:USE1_OutputTokenCount-Units",
        product_product_name=EDITION,
    )
    (row,) = stage_rows("aws_cur", [path])
    assert row["tags"] == {"x_model": "Claude Sonnet 4", "x_token_type": "output"}
    assert row["x_line_class"] == "saas"


def test_tokens_of_other_services_are_no_models(tmp_path: Path) -> None:
    usage = "USE1-Thing-input-tokens"
    assert tags_of(tmp_path, line_item_product_code="AmazonQ", line_item_usage_type=usage) is None


def test_the_map_of_all_tags_gives_bare_keys_for_resources_alone(tmp_path: Path) -> None:
    """Tags of accounts and principals keep their beginning; a resource's own column comes first."""
    tags = (
        '{"resourceTags/user_team": "late", "resourceTags/user_run": "r1",'
        ' "costCategory/Unit": "Research", "accountTag/team": "platform",'
        ' "iamPrincipal/team": "nlp", "userAttribute/department": "Labs", "plain": "kept"}'
    )
    found = tags_of(
        tmp_path, tags=tags, resource_tags='{"user_team": "vision"}', line_item_iam_principal=ALICE
    )
    assert found == {
        "Unit": "Research",
        "accountTag/team": "platform",
        "iamPrincipal/team": "nlp",
        "plain": "kept",
        "userAttribute/department": "Labs",
        "user_run": "r1",
        "user_team": "vision",
        "x_iam_principal": ALICE,
    }


def test_an_empty_principal_is_none(tmp_path: Path) -> None:
    assert not tags_of(tmp_path, line_item_iam_principal="")
