"""Which columns of the marts may hold a person: told by their names, so that a new mart is covered.

A mart calls a person's id `user_id` or `owner_user` and a person's name `user_name` or
`owner_name`; `member` and `member_name` are a person's where `dimension` is user. Every other text
is searched for people, unless its column stands here as one that holds none.
"""

from __future__ import annotations

from queries import ModelError

PERSON_IDS = frozenset(("user_id", "owner_user"))
PERSON_NAMES = {"user_name": "user_id", "owner_name": "owner_user"}
"""A person's name -> the column that holds that person's id in the same mart."""
TEAMS = ("team", "owner_team")
MEMBER, MEMBER_NAME = "member", "member_name"
VERSION = "version"
"""What tells more of a member."""

SEARCHED = frozenset(
    (
        *(
            "billing_account_id",
            "conflict_key",
            "container",
            "dataset",
            "evidence",
            "experiment",
            "fix",
            "input_data",
            "instance_id",
            "invoice_id",
            "lineage_path",
            "metric",
            "model",
        ),
        *("model_name", "model_version", "native_id", "note", "project", "quota", "reason"),
        "resource_id",
        *("resource_name", "rule_id", "run_name", "step", VERSION),
    )
)
"""Texts that whoever names things may have put a person into."""

HARMLESS = frozenset(
    (
        *("beyond_12_places", "billing_currency", "cause", "cluster", "confidence", "cost_kind"),
        "dearest_run_id",
        *(
            "detector",
            "dimension",
            "finding_id",
            "from_region",
            "gpu_model",
            "gpu_use",
            "instance_type",
            "line_class",
        ),
        *("direction", "measure", "model_rule", "newest_unit", "part"),
        *("price_unit", "sku_id", "sku_meter", "usage_type"),
        *(
            "method",
            "provider",
            "region_id",
            "run_id",
            "service_name",
            "source",
            "to_region",
            "told_by",
        ),
        *("rates", "relation", "reporting_currency", "rule", "run_key", "system"),
        *("state", "status", "table_name", "unit", "verdict", "window_kind", *TEAMS),
    )
)
"""Closed lists, digests, and names of teams and products."""

DIMENSION_OF = {
    **dict.fromkeys((*PERSON_IDS, *PERSON_NAMES), "user"),
    **dict.fromkeys(TEAMS, "team"),
    "project": "project",
    "model": "model",
    "dataset": "dataset",
}
"""What a column of a mart is about -> the dimension it is a member of."""

_PLAIN_TYPES = ("DECIMAL", "DATE", "TIMESTAMP", "TIME", "BOOLEAN", "DOUBLE", "FLOAT", "HUGEINT")
_INTEGERS = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER")


def is_text(kind: str, where: str) -> bool:
    """Tell whether a column of a type holds text.

    Raises: ModelError for a type that could hold text inside, of which nobody could tell.
    """
    if kind == "VARCHAR":
        return True
    if "[" in kind or not kind.startswith((*_PLAIN_TYPES, *_INTEGERS)):
        raise ModelError(
            f"{where} is of the type {kind}, in which a person may hide",
            where=where,
            fix="give the mart a column of text for each thing",
        )
    return False


def is_declared(column: str) -> bool:
    """Tell whether it is known what a column of text holds."""
    people = {*PERSON_IDS, *PERSON_NAMES, MEMBER, MEMBER_NAME}
    return column in people | SEARCHED | HARMLESS


def is_searched(column: str) -> bool:
    """Tell whether a text column is searched for people; those that nobody declared are."""
    people = {*PERSON_IDS, *PERSON_NAMES, MEMBER, MEMBER_NAME}
    return column not in people | HARMLESS
