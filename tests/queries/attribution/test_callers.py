"""Whose a call of a service is: the principal that the bill names, and what is known of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

IAM, STS = "arn:aws:iam::000000000042:", "arn:aws:sts::000000000042:assumed-role/"


def call_world(draw: type[Draw], *rules: Row, **tags: str) -> dict[str, list[Row]]:
    """Return a dollar of Bedrock with some tags, and Ada of the vision team."""
    return {
        "cost_lines": [draw.line(1, service_name="Amazon Bedrock", sub_account_id="42", tags=tags)],
        "ownership_rules": [
            {"rule_id": f"rule-{number}", "position": number, "is_override": False} | rule
            for number, rule in enumerate(rules)
        ],
        "memberships": [{"user_id": "ada", "team": "vision"}],
        "aliases": [
            {"alias": name, "user_id": "ada"}
            for name in ("BedrockAPIKey-234s", "ada.session", "TrainerRole")
        ],
        "people": [{"user_id": "ada", "user_name": "Ada", "email": "ada@acme.org"}],
    }


def owner(build: Build, tables: dict[str, list[Row]]) -> tuple[str | None, ...]:
    (row,) = build(tables).rows(
        "select user_id, user_rule, team, team_rule from attribution.named_postings"
    )
    return row


@pytest.mark.parametrize(
    ("principal", "user", "team"),
    [
        (f"{IAM}user/ada", "ada", "vision"),
        (f"{IAM}user/research/nlp/ada", "ada", "vision"),
        (f"{IAM}user/BedrockAPIKey-234s", "ada", "vision"),
        (f"{STS}AWSReservedSSO_Research_0a1b/Ada@Acme.org", "ada", "vision"),
        (f"{STS}App/ada.session", "ada", "vision"),
        (f"{STS}App/checkout-service", "checkout-service", None),
        (f"{STS}TrainerRole/i-0123456789abcdef0", "ada", "vision"),
        (f"{STS}TrainerRole/botocore-session-1790000000", "ada", "vision"),
        (f"{STS}TrainerRole/eks-prod-worker-8f2d", "ada", "vision"),
        (f"{STS}TrainerRole/0123456789abcdef0123456789abcdef", "ada", "vision"),
        ("arn:aws-cn:iam::000000000042:user/ada", "ada", "vision"),
    ],
)
def test_a_principal_is_a_person_by_name_alias_or_mail(
    build: Build, draw: type[Draw], principal: str, user: str, team: str | None
) -> None:
    found = owner(build, call_world(draw, x_iam_principal=principal))
    assert found == (
        user,
        "iam_principal",
        team,
        "member_of" if team else "unattributed",
    )


@pytest.mark.parametrize("principal", [f"{IAM}root", "AIDAEXAMPLE", "bedrock.amazonaws.com"])
def test_what_is_no_person_owns_nothing(build: Build, draw: type[Draw], principal: str) -> None:
    tables = call_world(draw, x_iam_principal=principal)
    assert owner(build, tables) == (None, "unattributed", None, "unattributed")


def test_a_caller_stands_between_rules_and_resource_tags(build: Build, draw: type[Draw]) -> None:
    tags = {
        "x_iam_principal": f"{STS}App/ada.session",
        "iamPrincipal/team": "of principal",
        "userAttribute/team": "of directory",
        "team": "tagged",
        "user": "tagger",
        "accountTag/team": "of account",
    }
    role = {
        "match_tag_key": "x_iam_principal",
        "match_tag_value": "*assumed-role/App/*",
        "user_id": "robot",
        "team": "apps",
    }
    found = [owner(build, call_world(draw, role, **tags))]
    for key in ("", *tags):
        tags.pop(key, None)
        found.append(owner(build, call_world(draw, **tags)))
    assert found == [
        ("robot", "rule-0", "apps", "rule-0"),
        ("ada", "iam_principal", "of principal", "iam_principal"),
        ("tagger", "resource_tag", "of principal", "iam_principal"),
        ("tagger", "resource_tag", "of directory", "iam_principal"),
        ("tagger", "resource_tag", "tagged", "resource_tag"),
        ("tagger", "resource_tag", "of account", "account_tag"),
        (None, "unattributed", "of account", "account_tag"),
        (None, "unattributed", None, "unattributed"),
    ]


def test_the_companys_map_of_accounts_comes_before_the_accounts_own_tags(
    build: Build, draw: type[Draw]
) -> None:
    rule = {"match_sub_account_id": "42", "team": "mapped"}
    tables = call_world(draw, rule, **{"accountTag/team": "of account"})
    assert owner(build, tables)[2:] == ("mapped", "rule-0")


def test_the_model_that_answered_has_the_cost_whoever_asked(build: Build, draw: type[Draw]) -> None:
    """A credit is nobody's, whatever model it is given for."""
    lines = [
        draw.line(cost, service_name="Amazon Bedrock", tags={"x_model": model} if model else {})
        for cost, model in ((1, "Claude4.6Sonnet"), (2, "Claude4.6Sonnet"), (4, "NovaPro"), (8, ""))
    ]
    lines.append(draw.line(-16, x_line_class="credit", tags={"x_model": "NovaPro"}))
    rows = build({"cost_lines": lines}).rows(
        "select dimension, member, sum(effective_cost) from attribution.member_spend "
        "where dimension in ('model', 'user') group by all order by all"
    )
    assert rows == [
        ("model", "(credit)", Decimal(-16)),
        ("model", "Claude4.6Sonnet", Decimal(3)),
        ("model", "NovaPro", Decimal(4)),
        ("model", "unattributed", Decimal(8)),
        ("user", "(credit)", Decimal(-16)),
        ("user", "unattributed", Decimal(15)),
    ]
