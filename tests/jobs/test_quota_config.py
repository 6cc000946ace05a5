"""Quotas in the config file: refused whole, with every mistake, before anything runs."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from jobs.enforcement.slurm import Slurm
from tests.jobs.test_config import mistakes_in, read

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = '[connectors.folder]\nroot = "/a"\n'
GOOD = {
    "name": '"q"',
    "dimension": '"team"',
    "member": '"vision"',
    "measure": '"effective_cost"',
    "window": '"month"',
    "limit": "100",
    "currency": '"USD"',
}


def quota(**more: str) -> str:
    """Return a quota's table with some keys as written; an empty text leaves one out."""
    keys = {**GOOD, **more}
    return "[[quotas]]\n" + "".join(f"{key} = {keys[key]}\n" for key in keys if keys[key])


def test_a_quota_is_read_with_every_digit(tmp_path: Path) -> None:
    text = quota(limit="1234.000000000001", window='"30 days"', thresholds="[{share = 0.75}]")
    (found,) = read(tmp_path, SOURCE + text).quotas
    assert found.limit == Decimal("1234.000000000001")
    assert (found.window_kind, found.window_days) == ("days", 30)
    assert [(each.share, each.do) for each in found.thresholds] == [(Decimal("0.75"), "warn")]


def test_a_short_quota_is_of_every_member_and_a_month(tmp_path: Path) -> None:
    (found,) = read(tmp_path, SOURCE + quota(member="", window="")).quotas
    assert (found.member, found.window_kind, found.window_days) == ("*", "month", 0)
    assert [str(each.share) for each in found.thresholds] == ["0.8", "1"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("limit", "-1", "limit is -1, which is not greater than 0"),
        ("limit", "0", "limit is 0, which is not greater than 0"),
        ("limit", "1e99", "limit is 1E+99, which is not less than or equal to"),
        ("limit", "nan", "limit is NaN, which is not a finite number"),
        ("limit", "inf", "limit is Infinity, which is not a finite number"),
        ("limit", "true", "limit is true"),
        ("limit", '"100"', 'limit is "100"'),
        ("limit", "0.0000000000001", "limit is"),
        ("limit", "", 'lacks the key "limit"'),
        ("measure", '"vibes"', 'measure is "vibes"'),
        ("measure", '"egress_gib"', "measure egress_gib cannot be told yet: bills state"),
        ("measure", '"storage_gib_month"', "measure storage_gib_month cannot be told yet"),
        ("measure", '"gpu_hours"', "gpu_hours have no currency"),
        ("dimension", '"service"', 'dimension is "service"'),
        ("member", '""', 'member is ""'),
        ("member", "no", "is not TOML"),
        ("window", '"fortnight"', 'window is "fortnight"'),
        ("window", '"0 days"', 'window is "0 days"'),
        ("window", '"999 days"', "longer than 366 days"),
        ("currency", "", "an effective_cost has a currency"),
        ("currency", '"usd"', 'currency is "usd"'),
        ("currency", '"Dollars"', 'currency is "Dollars"'),
        ("name", '"a b"', 'name is "a b"'),
        ("colour", '"red"', 'has no key "colour"'),
        ("thresholds", "[]", "thresholds is"),
        ("thresholds", "[{share = 1.0}, {share = 0.8}]", "thresholds do not rise"),
        ("thresholds", "[{share = 0.8}, {share = 0.8}]", "thresholds do not rise"),
        ("thresholds", "[{share = 80}]", "share is 80"),
        ("thresholds", "[{share = 0}]", "share is 0"),
        ("thresholds", "[{share = nan}]", "share is NaN"),
        ("thresholds", "[{share = true}]", "share is true"),
        ("thresholds", '[{share = 1, do = "kill"}]', 'do is "kill"'),
        ("thresholds", "[{shore = 1}]", 'has no key "shore"'),
        ("thresholds", "[0.8]", "thresholds"),
    ],
)
def test_one_mistake_is_told_once(tmp_path: Path, key: str, value: str, told: str) -> None:
    found = mistakes_in(tmp_path, SOURCE + quota(**{key: value}))
    assert told in "".join(found)
    assert "\n  fix: " in found[0]
    assert len(found) == (2 if "shore" in value else 1), found  # the right key is missing too


def test_every_mistake_of_every_quota_and_lever_is_told_at_once(tmp_path: Path) -> None:
    text = SOURCE + quota(limit="-1", currency="", measure='"effective_cost"') + quota(window="3")
    text += quota(name='"other"', measure='"egress_gib"', thresholds="[{share=2},{share=1}]")
    text += "[enforcement]\nmax_targets = 0\nmax_share = 1.5\n"
    text += '[levers.kubernets]\n[levers.slurm]\naccounts = {vision = "a"}\n'
    told = "\n".join(mistakes_in(tmp_path, text))
    for wanted in (
        "limit is -1",
        "an effective_cost has a currency",
        'two quotas are called "q"',
        "window is 3",
        "egress_gib cannot be told yet",
        "thresholds do not rise",
        "max_targets is 0",
        "max_share is 1.5",
        'there is no lever "kubernets"; did you mean "kubernetes"?',
        '[levers.slurm] lacks the key "cluster"',
        "[levers.slurm.accounts] vision is",
    ):
        assert wanted in told, wanted
    assert told.count("error: ") == 11


def test_numbers_of_a_lever_that_are_too_low_are_told_all_at_once(tmp_path: Path) -> None:
    text = SOURCE + '[levers.webhook]\nurl = "https://a"\nsecret_env = "A"\n'
    slurm = '[levers.slurm]\ncluster = "a"\naccounts = {}\nallowed = 0\n'
    read(tmp_path, text + "tries = 1\n" + slurm + "timeout_seconds = 1\n")
    slurm = slurm.replace("allowed = 0", "allowed = -1")
    told = mistakes_in(tmp_path, text + "tries = 0\ncolour = 1\n" + slurm + "timeout_seconds = 0\n")
    wanted = (
        "[levers.webhook] tries is 0, which is not greater than or equal to 1",
        '[levers.webhook] has no key "colour"',
        "[levers.slurm] allowed is -1, which is not greater than or equal to 0",
        "[levers.slurm] timeout_seconds is 0, which is not greater than or equal to 1",
    )
    assert [wish in one for wish, one in zip(wanted, told, strict=True)] == [True] * 4


def test_mistakes_name_the_line_they_stand_on(tmp_path: Path) -> None:
    (told,) = mistakes_in(tmp_path, SOURCE + quota() + quota(name='"r"', limit="-1"))
    assert f"in:  {tmp_path / 'mlspend.toml'}:17" in told


def test_two_levers_of_a_kind_have_names_of_their_own(tmp_path: Path) -> None:
    one = '[[levers.slurm]]\ncluster = "a"\naccounts = {}\n'
    (told,) = mistakes_in(tmp_path, SOURCE + one + one)
    assert 'two levers are called "slurm"' in told
    levers = read(tmp_path, SOURCE + one + one + 'name = "b"\n').levers
    assert [(type(lever), lever.name) for lever in levers] == [(Slurm, "slurm"), (Slurm, "b")]
