"""The config file: every mistake at once, each with its line; the example is complete."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields
from decimal import Decimal
from inspect import getsource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connectors import CONNECTORS
from jobs.config import Config, ConfigError, example_keys, read_config
from jobs.errors import describe
from jobs.inputs import settings_of
from jobs.settings.attribution import Attribution
from jobs.settings.mail import mail_of
from jobs.settings.numbers import too_low
from jobs.settings.privacy import Audience
from jobs.settings.quotas import Quota
from jobs.settings.shapes import class_of
from queries.catalog import models
from queries.detecting import detectors
from tests.jobs.folder_source import FolderSource

if TYPE_CHECKING:
    from connectors.base import Connector

AUDIENCE = '[connectors.folder]\nroot = "/a"\n[[privacy.audiences]]\nname = "a"\n'
FOLDER = {"folder": "tests.jobs.folder_source:FolderSource"}


def read(tmp_path: Path, text: str) -> Config:
    """Read a config file with this text."""
    path = tmp_path / "mlspend.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path, FOLDER)


def mistakes_in(tmp_path: Path, text: str) -> list[str]:
    """Return what is told of each mistake, one text each."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    return [describe(mistake) for mistake in caught.value.mistakes]


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    config = read(tmp_path, '[connectors.folder]\nroot = "bills"\n')
    assert config.state_dir == tmp_path / "state"
    assert [(source.name, source.kind) for source in config.sources] == [("folder", "folder")]
    assert config.attribution.idle_policy == "separate"
    assert config.attribution.cpu_weight == Decimal("0.9")
    assert (config.keep.generations, config.keep.open_versions) == (7, 3)


def test_places_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    text = 'state_dir = "var/../here"\n[[connectors.folder]]\nroot = "bills"\n'
    text += '[[connectors.folder]]\nsource = "far"\nroot = "s3://acme/bills"\n'
    config = read(tmp_path, text)
    roots = [root_of(source.connector) for source in config.sources]
    assert roots == [str(tmp_path / "bills"), "s3://acme/bills"]
    assert config.state_dir == tmp_path / "here"


def root_of(connector: Connector) -> str:
    """Return the root of a folder source."""
    assert isinstance(connector, FolderSource)
    return connector.root


def test_a_place_that_is_not_given_stays_so(tmp_path: Path) -> None:
    config = read(tmp_path, '[connectors.folder]\nroot = ""\n')
    assert root_of(config.sources[0].connector) == ""


def test_a_connector_takes_texts_numbers_flags_and_lists(tmp_path: Path) -> None:
    text = '[connectors.folder]\nroot = "/b"\ntoken_env = "T"\ntags = ["a", "b"]\ndays = 3\n'
    config = read(tmp_path, text + "is_strict = true\n")
    wanted = FolderSource("/b", "T", ("a", "b"), 3, is_strict=True)
    assert config.sources[0].connector == wanted


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = """state_dir = 3
colour = "red"

[attribution]
idle_polcy = "separate"
gpu_weight = -1

[connectors.folder]
rot = "/bills"
days = "many"

[connectors.foldr]
root = "/x"
"""
    told = mistakes_in(tmp_path, text)
    path = tmp_path / "mlspend.toml"
    assert [line.splitlines()[:2] for line in told] == [
        ["error: the file state_dir is 3, which is not a valid string", f"  in:  {path}:1"],
        ['error: the file has no key "colour"', f"  in:  {path}:2"],
        [
            'error: [attribution] has no key "idle_polcy"; did you mean "idle_policy"?',
            f"  in:  {path}:5",
        ],
        [
            "error: [attribution] gpu_weight is -1, which is not greater than or equal to 0",
            f"  in:  {path}:6",
        ],
        ['error: [connectors.folder] lacks the key "root"', f"  in:  {path}:8"],
        ['error: [connectors.folder] has no key "rot"; did you mean "root"?', f"  in:  {path}:9"],
        [
            'error: [connectors.folder] days is "many", which is not a valid integer',
            f"  in:  {path}:10",
        ],
        ['error: there is no connector "foldr"; did you mean "folder"?', f"  in:  {path}:12"],
    ]
    assert all("\n  fix: " in line for line in told)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "the file configures no source"),
        ("[connectors]\n", "the file configures no source"),
        ("[connectors\n", "the config file is not TOML"),
        ("[connectors]\nfolder = 3\n", "connectors.folder is not a table"),
        ("connectors = 3\n", "the file connectors is 3"),
        ("[connectors.folder]\nroot = 1\n", "root is 1, which is not a valid string"),
        ('[connectors.folder]\nroot = "/a"\ntags = "a"\n', "tags is"),
        ('[connectors.folder]\nroot = "/a"\ntags = [1]\n', "1, which is not a valid string"),
        ('[connectors.folder]\nroot = "/a"\ndays = true\n', "days is true"),
        ('[connectors.folder]\nroot = "/a"\ndays = 1.5\n', "days is 1.5"),
        ('[connectors.folder]\nroot = "/a"\nsource = "../up"\n', 'source is "../up"'),
        ('[connectors.folder]\nroot = "/a"\n[engine]\nthreads = 0\n', "threads is 0"),
        ('[connectors.folder]\nroot = "/a"\n[engine]\nmemory_limit = "much"\n', "memory_limit is"),
        (
            '[connectors.folder]\nroot = "/a"\n[privacy]\npeople = "nicknames"\n',
            "people is \"nicknames\", which is not 'names', 'pseudonyms' or 'teams'",
        ),
        (
            AUDIENCE + '[[privacy.audiences]]\nname = "a"\n',
            "is not audiences of different names",
        ),
        (
            AUDIENCE + 'dimensions = ["user"]\n',
            "is not a list that holds team",
        ),
        (
            AUDIENCE + 'group = "no-such-group"\n',
            'group is "no-such-group", which is not a group of this machine',
        ),
        (
            AUDIENCE + 'team = ["b"]\n',
            'no key "team"; did you mean "teams"?',
        ),
        ('[connectors.folder]\nroot = "/a"\n[keep]\ngenerations = 1\n', "generations is 1"),
        (
            '[connectors.folder]\nroot = "/a"\n[attribution]\ngpu_weight = nan\n',
            "gpu_weight is NaN",
        ),
        ('[connectors.folder]\nroot = "/a"\n[attribution]\ngpu_weight = true\n', "gpu_weight is"),
        (
            '[[connectors.folder]]\nroot = "/a"\n[[connectors.folder]]\nroot = "/b"\n',
            'two sources are called "folder"',
        ),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, wanted: str) -> None:
    told = mistakes_in(tmp_path, text)
    assert len(told) == 1
    assert wanted in told[0]


def mistakes_of_ours(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    """Return each mistake in a file of real sources, with its line."""
    path = tmp_path / "mlspend.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    return [(mistake.line, str(mistake)) for mistake in caught.value.mistakes]


def below(kind: str, key: str, number: int, least: int) -> str:
    """Say that a number is too low."""
    return f"[connectors.{kind}] {key} is {number}, which is not greater than or equal to {least}"


def test_numbers_of_a_source_that_are_too_low_are_told_all_at_once(tmp_path: Path) -> None:
    text = '[connectors.mlflow]\nroot = "m.db"\noverlap_days = -3\npage_size = 0\n'
    text += "backfill_days = -9\nrescan_every_days = 0\n"
    low = [
        (3, below("mlflow", "overlap_days", -3, 1)),
        (4, below("mlflow", "page_size", 0, 1)),
        (5, below("mlflow", "backfill_days", -9, 0)),
    ]
    assert mistakes_of_ours(tmp_path, text) == low
    with_slip = mistakes_of_ours(tmp_path, text + "colour = 1\n")
    assert with_slip[:3] == low
    assert [line for line, _ in with_slip[3:]] == [7]


def test_a_number_that_a_source_refuses_itself_is_told_once_in_its_words(tmp_path: Path) -> None:
    text = "[connectors.slurm]\noverlap_days = 0\nrescan_days = -1\ntimeout_seconds = 0\n"
    assert mistakes_of_ours(tmp_path, text) == [
        (1, "[connectors.slurm] days are 1 or more"),
        (4, below("slurm", "timeout_seconds", 0, 1)),
    ]
    text = '[connectors.prometheus]\nurl = "http://a"\nroot = "b"\ntimeout_seconds = 0\n'
    assert mistakes_of_ours(tmp_path, text) == [
        (1, "[connectors.prometheus] either url or root must be given"),
        (4, below("prometheus", "timeout_seconds", 0, 1)),
    ]


@pytest.mark.parametrize("kind", sorted(CONNECTORS))
def test_every_default_of_a_source_and_every_zero_that_it_explains_may_be_written(
    kind: str,
) -> None:
    cls = class_of(CONNECTORS[kind])
    numbers = {one.name: one.default for one in fields(cls) if type(one.default) is int}
    assert too_low(numbers) == {}
    explained = re.findall(r'^    (\w+): int = .*\n    """[^"]*\b0:', getsource(cls), re.MULTILINE)
    assert too_low(dict.fromkeys(explained, 0)) == {}


def test_a_table_written_twice_is_told_how_to_be_written(tmp_path: Path) -> None:
    fixes = {
        "[connectors.folder]\n[connectors.folder]\n": "write both as [[connectors.folder]], each "
        "with a `source` of its own",
        "[connectors.folder]\n[[connectors.folder]]\n": "write both as [[connectors.folder]]",
        "[[connectors.folder]]\n[connectors.folder]\n": "write both as [[connectors.folder]]",
        "[levers.slurm]\n[levers.slurm]\n": "write both as [[levers.slurm]], each with a `name`",
        "[quotas]\n[quotas]\n": "write both as [[quotas]]",
        "[engine]\n[engine]\n": "write [engine] once, with all its keys",
        "[engine]\nthreads = two\n": "mend that line; texts stand in double quotes",
    }
    for text, fix in fixes.items():
        (told,) = mistakes_in(tmp_path, text)
        assert f"\n  fix: {fix}" in told


def test_a_detector_is_set_by_its_own_name_and_header(tmp_path: Path) -> None:
    text = '[connectors.folder]\nroot = "/a"\n[detectors.dead_gpus]\nmin_hours = 3\nmin_waste = 2\n'
    assert read(tmp_path, text).detectors == {
        "dead_gpus": {"min_hours": 3, "min_waste": Decimal(2)}
    }

    wrong = "[detectors.dead_gpu]\n[detectors.parked_gpus]\nmin_hour = 1\nis_enabled = 0\n"
    told = "\n".join(mistakes_in(tmp_path, '[connectors.folder]\nroot = "/a"\n' + wrong))
    assert 'there is no detector "dead_gpu"; did you mean "dead_gpus"?' in told
    assert '[detectors.parked_gpus] has no key "min_hour"; did you mean "min_hours"?' in told
    assert "[detectors.parked_gpus] is_enabled is 0, which is not a valid boolean" in told


def test_a_secret_written_by_mistake_is_not_repeated(tmp_path: Path) -> None:
    text = '[connectors.folder]\nroot = "/a"\ntoken_env = ["hunter2"]\n'
    text += '[[connectors.foldr]]\ntoken = "hunter3"\n'
    told = "\n".join(mistakes_in(tmp_path, text))
    assert "token_env is a secret" in told
    assert "hunter" not in told


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    head = '[connectors.folder]\nroot = "/a"\n'
    config = read(tmp_path, head + 'token_file = "keys/token"\n')
    assert config.sources[0].connector.token_env == f"file:{tmp_path}/keys/token"  # type: ignore[attr-defined]
    more = '[mail]\nusername_env = "A"\npassword_file = "/run/b"\n[privacy]\nkey_file = "c"\n'
    config = read(tmp_path, head + more)
    assert (config.mail.username_env, config.mail.password_env) == ("A", "file:/run/b")
    assert config.privacy.key_env == f"file:{tmp_path}/c"
    assert mail_of(config.path) == config.mail

    both = 'token_env = "A"\ntoken_file = "b"\n'
    (told,) = mistakes_in(tmp_path, head + both)
    assert "[connectors.folder] is not clear: token_env and token_file name the same" in told
    (told,) = mistakes_in(tmp_path, head + '[mail]\nusername_env = "A"\n')
    assert "[mail] is not complete: the user's name and the password go together" in told


def test_a_file_stands_for_a_variable_that_is_demanded_or_named_by_default(tmp_path: Path) -> None:
    path = tmp_path / "mlspend.toml"
    text = '[connectors.wandb]\nroot = "https://w"\nentity = "a"\napi_key_file = "/run/k"\n'
    text += '[connectors.optscale]\nroot = "https://o"\nbearer_file = "/b"\n'
    path.write_text(text, encoding="utf-8")
    wandb, optscale = (source.connector for source in read_config(path).sources)
    assert wandb.api_key_env == "file:/run/k"  # type: ignore[attr-defined]
    assert optscale.bearer_env == "file:/b"  # type: ignore[attr-defined]
    path.write_text(text.replace('bearer_file = "/b"', ""), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert 'lacks the key "bearer_env"' in str(caught.value)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "none.toml", FOLDER)
    assert "config.example.toml" in describe(caught.value)


def test_a_retired_source_says_so(tmp_path: Path) -> None:
    config = read(tmp_path, '[connectors.folder]\nroot = "/a"\nretired = true\n')
    assert config.sources[0].is_retired


EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")


def uncommented() -> str:
    """Return the example with every key switched on."""
    return re.sub(r"^#(?=[\w\[])", "", EXAMPLE, flags=re.MULTILINE)


def filled_in() -> str:
    """Return it with a place in those sources that must have one of two, and show both empty."""
    either = "focus|gcp_billing|gcp_inventory|opencost|prometheus|ray"
    empty = rf'^(\[connectors\.(?:{either})\]\n(?:(?!\[).*\n)*?root = )""'
    return re.sub(empty, r'\1"there"', uncommented(), flags=re.MULTILINE)


def test_the_example_names_every_key_and_no_other() -> None:
    table = tomllib.loads(uncommented())
    named = {
        f"{room}.{kind}": set(keys)
        for room in ("connectors", "detectors", "levers")
        for kind, keys in table.pop(room).items()
    }
    tables = {name: value[0] if isinstance(value, list) else value for name, value in table.items()}
    named |= {name: set(keys) for name, keys in tables.items() if isinstance(keys, dict)}
    named[""] = {name for name, value in tables.items() if not isinstance(value, dict)}
    assert named == example_keys(CONNECTORS)


def test_the_example_with_every_key_switched_on_is_without_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "mlspend.toml"
    path.write_text(filled_in(), encoding="utf-8")
    config = read_config(path)
    assert {source.kind for source in config.sources} == set(CONNECTORS)


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mlspend.toml"
    path.write_text(filled_in(), encoding="utf-8")
    shown = read_config(path)
    default = read(tmp_path, '[connectors.folder]\nroot = "/a"\n')
    assert shown.attribution == default.attribution
    assert (shown.engine, shown.report, shown.keep) == (
        default.engine,
        default.report,
        default.keep,
    )
    (audience,) = shown.privacy.audiences
    assert audience == Audience(name="vision-leads")
    assert shown.privacy.model_copy(update={"audiences": ()}) == default.privacy
    assert shown.operations == default.operations
    assert shown.enforcement == default.enforcement
    for lever in shown.levers:
        for field in fields(lever):  # type: ignore[arg-type]
            if field.default is not MISSING:
                value = getattr(lever, field.name)
                shown_value = tuple(value) if isinstance(value, list) else value
                assert shown_value == field.default, lever.name
    (quota,) = shown.quotas
    for key in ("member", "window", "thresholds"):
        assert getattr(quota, key) == Quota.model_fields[key].default
    for name, detector in detectors().items():
        values = {param.name: param.default for param in detector.params}
        assert shown.detectors[name] == {"is_enabled": True, **values}
    for source in shown.sources:
        for field in fields(source.connector):  # type: ignore[arg-type]
            if field.default is not MISSING:
                value = getattr(source.connector, field.name)
                assert value in (field.default, str(tmp_path / "there")), source.kind


def test_every_parameter_of_the_models_can_be_set_and_has_one_default() -> None:
    shared = [model for model in models() if model.layer != "detectors"]
    defaults = {param.name: param.default for model in shared for param in model.params}
    settings = settings_of(Attribution()).params
    assert defaults.keys() == settings.keys()
    for name, value in settings.items():
        assert type(value)(defaults[name].strip("'")) == value, name


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('split = "fixed"', "shares, team by team"),
        ("shares = { a = 0.5 }", "shares, team by team"),
        ('split = "fixed"\nshares = { a = 0.6, b = 0.5 }', "add up to 1.1"),
        ('split = "fixed"\nto = ["a"]\nshares = { a = 1 }', "leave out to"),
        ('to = ["(tax)"]', "gives to itself: (tax)"),
    ],
)
def test_a_rule_of_shared_cost_that_contradicts_itself_is_refused(
    tmp_path: Path, rule: str, said: str
) -> None:
    text = '[connectors.folder]\nroot = "/a"\n[[shared_costs]]\nname = "x"\nmembers = ["(tax)"]\n'
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text + rule)
    assert said in describe(caught.value)


def test_two_rules_of_shared_cost_have_two_names(tmp_path: Path) -> None:
    rule = '[[shared_costs]]\nname = "x"\nmembers = ["(tax)"]\n'
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f'{rule}{rule}[connectors.folder]\nroot = "/a"\n')
    assert "two rules are called x" in describe(caught.value)
