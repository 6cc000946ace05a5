"""The config file: read once, checked whole, every mistake listed before anything runs.

A connector's fields are its table in the file, so a connector that gains a field needs no line
here. Secrets never stand in the file: a key ending in `_env` names the variable
that holds one, a key ending in `_file` the file.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from connectors.addresses import mistaken
from connectors.toml_lines import line_of, shown
from jobs.enforcement import LEVERS
from jobs.settings.attribution import Attribution
from jobs.settings.base import Section as _Section
from jobs.settings.books import Books
from jobs.settings.currency import Currency
from jobs.settings.detectors import detector_sections, read_detectors
from jobs.settings.engine import Engine
from jobs.settings.invoices import Invoice, entered_once, of_no_source
from jobs.settings.keep import Keep
from jobs.settings.left_out import LeftOut, left_out_of_none, left_out_once
from jobs.settings.mail import Mail
from jobs.settings.numbers import least_of, refusal_of, refused_numbers, too_low, with_defaults
from jobs.settings.operations import Operations
from jobs.settings.privacy import Privacy
from jobs.settings.quotas import Enforcement, Quota, mistakes_between
from jobs.settings.report import Report
from jobs.settings.shapes import SOURCE_KEYS, class_of, model_of, section_of, sections_of
from jobs.settings.shared_costs import SharedCost, named_once
from jobs.settings.toml_fixes import fix_of
from jobs.state import DEFAULT_STATE, DEMO_CONFIG, place
from queries.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.base import Connector, SourceError
    from connectors.toml_lines import KeyPath
    from jobs.enforcement.base import Lever

_PLACES = ("root", "path")
_SECRETS = re.compile(r"token|password|secret|credential")


class Mistake(Exception):  # noqa: N818  (a ConfigError is made of these)
    """One mistake in the config file."""

    def __init__(self, what: str, *, where: str, fix: str, line: int = 0) -> None:
        """Say what is wrong in one line, `where` it is, and the `fix`."""
        super().__init__(what)
        self.line = line
        self.add_note(f"in:  {where}:{line}" if line else f"in:  {where}")
        self.add_note(f"fix: {fix}")


class ConfigError(Exception):
    """The config file cannot be used; `mistakes` are all that was found in it."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        """Hold the mistakes, sorted as they stand in the file."""
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line))


class _File(_Section):
    state_dir: str = DEFAULT_STATE
    connectors: dict[str, Any] = Field(default_factory=dict)
    attribution: Attribution = Attribution()
    books: Books = Books()
    engine: Engine = Engine()
    report: Report = Report()
    currency: Currency = Currency()
    keep: Keep = Keep()
    privacy: Privacy = Privacy()
    operations: Operations = Operations()
    mail: Mail = Mail()
    shared_costs: Annotated[
        tuple[SharedCost, ...], Field(strict=False), AfterValidator(named_once)
    ] = ()
    invoices: Annotated[tuple[Invoice, ...], Field(strict=False), AfterValidator(entered_once)] = ()
    left_out: Annotated[
        tuple[LeftOut, ...], Field(strict=False), AfterValidator(left_out_once)
    ] = ()
    quotas: Annotated[tuple[Quota, ...], Field(strict=False)] = ()
    enforcement: Enforcement = Enforcement()
    levers: dict[str, Any] = Field(default_factory=dict)
    detectors: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """One configured source."""

    name: str
    kind: str
    connector: Connector
    is_retired: bool = False
    """Its landed data count, but nothing more is fetched."""


@dataclass(frozen=True, slots=True)
class Config:
    """A config file without mistakes; every path in it is absolute."""

    path: Path
    state_dir: Path
    sources: tuple[Source, ...]
    attribution: Attribution
    books: Books
    engine: Engine
    report: Report
    currency: Currency
    keep: Keep
    privacy: Privacy
    operations: Operations
    mail: Mail
    shared_costs: tuple[SharedCost, ...]
    invoices: tuple[Invoice, ...]
    left_out: tuple[LeftOut, ...]
    quotas: tuple[Quota, ...]
    enforcement: Enforcement
    levers: tuple[Lever, ...]
    detectors: Mapping[str, Mapping[str, Any]]
    """Detector -> what the file sets of it."""


def read_config(path: Path, registry: Mapping[str, str] | None = None) -> Config:
    """Read a config file; `registry` is connector kind -> `module:Class`, by default all of ours.

    Raises: ConfigError with every mistake in the file.
    """
    if registry is None:
        from connectors import CONNECTORS  # noqa: PLC0415  (tests bring their own)

        registry = CONNECTORS
    path = path.absolute()
    reader = _Reader(path, _text_of(path), registry)
    return reader.read()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        fix = "copy config.example.toml there, or give --config"
        if (path.parent / DEMO_CONFIG).is_file():
            fix += f", such as --config {DEMO_CONFIG} of the demo company"
        raise _only("there is no config file", str(path), fix) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _only(
            f"the config file cannot be read: {error}", str(path), "make it a readable UTF-8 file"
        ) from error


def _only(what: str, where: str, fix: str) -> ConfigError:
    return ConfigError([Mistake(what, where=where, fix=fix)])


class _Reader:
    """Reads one file and gathers its mistakes."""

    def __init__(self, path: Path, text: str, registry: Mapping[str, str]) -> None:
        self.path = path
        self.text = text
        self.registry = registry
        self.mistakes: list[Mistake] = []

    def read(self) -> Config:
        try:
            table = tomllib.loads(self.text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            raise _only(
                f"the config file is not TOML: {error}",
                str(self.path),
                fix_of(error, self.text),
            ) from error
        try:
            file = _File.model_validate(table)
        except ValidationError as error:
            self._note_all(error, _File, ())
            file = _File()
        found = table.get("connectors", {})
        sources = self._sources(found) if isinstance(found, dict) else []
        levers = self._levers(table.get("levers", {}))
        for where, what, fix in mistakes_between(table.get("quotas")):
            self._note(what, where, fix)
        names = [source.name for source in sources]
        for where, what, fix in of_no_source(file.invoices, names):
            self._note(what, where, fix)
        for where, what, fix in left_out_of_none(file.left_out, names):
            self._note(what, where, fix)
        detectors, wrong, invalid = read_detectors(table.get("detectors", {}))
        for where, what, fix in wrong:
            self._note(what, where, fix)
        for where, section, mistakes in invalid:
            self._note_all(mistakes, section, where)
        if found == {}:
            self._note(
                "the file configures no source",
                (),
                "add a table such as [connectors.focus]; config.example.toml shows them all",
            )
        if self.mistakes:
            raise ConfigError(self.mistakes)
        return Config(
            path=self.path,
            state_dir=Path(place(file.state_dir, self.path.parent)),
            sources=tuple(sources),
            attribution=file.attribution,
            books=file.books,
            engine=file.engine,
            report=file.report,
            currency=file.currency,
            keep=file.keep,
            privacy=file.privacy.settled(self.path.parent),
            operations=file.operations,
            mail=file.mail.settled(self.path.parent),
            shared_costs=file.shared_costs,
            invoices=file.invoices,
            left_out=file.left_out,
            quotas=file.quotas,
            enforcement=file.enforcement,
            levers=tuple(levers),
            detectors=detectors,
        )

    def _sources(self, tables: Mapping[str, object]) -> list[Source]:
        sources: list[Source] = []
        named: dict[str, KeyPath] = {}
        for kind, value in tables.items():
            if kind not in self.registry:
                self._unknown_kind("connector", kind, self.registry)
                continue
            for where, table in _each(("connectors", kind), value):
                source = self._source(kind, table, where)
                if source is None:
                    continue
                if source.name in named:
                    self._note(
                        f'two sources are called "{source.name}"',
                        where,
                        'give each a name of its own, such as source = "aws-research"',
                    )
                named[source.name] = where
                sources.append(source)
        return sources

    def _source(self, kind: str, table: object, where: KeyPath) -> Source | None:
        if not isinstance(table, dict):
            self._note(f"connectors.{kind} is not a table", where, f"write [connectors.{kind}]")
            return None
        cls = class_of(self.registry[kind])
        model = model_of(kind, cls, SOURCE_KEYS)
        try:
            values = model.model_validate(table).settled(self.path.parent)
        except ValidationError as error:
            self._note_all(error, model, where)
            self._note_low(too_low(table), model, where)
            return None
        settings = {field.name: getattr(values, field.name) for field in fields(cls)}
        settings = {key: self._settled(key, value) for key, value in settings.items()}
        name = values.source or kind  # type: ignore[attr-defined]
        for key, what, fix in mistaken(settings):
            self._note(f"[connectors.{kind}] {key}: {what}", (*where, key), fix)
        retired: bool = values.retired  # type: ignore[attr-defined]
        low = too_low(settings)
        settings = with_defaults(cls, settings, low)
        if refusal := refusal_of(cls, settings, retired=retired):
            self._note_refusal(kind, refusal, where)
            self._note_low(low, model, where)
            return None
        for key, own in refused_numbers(cls, settings, low, retired=retired):
            if own:
                self._note_refusal(kind, own, where)
            else:
                self._note_low({key: low[key]}, model, where)
        return Source(name, kind, cls(**settings), retired)

    def _note_refusal(self, kind: str, error: SourceError, where: KeyPath) -> None:
        fix = error.__notes__[1].removeprefix("fix: ")
        self._note(f"[connectors.{kind}] {error}", where, fix)

    def _note_low(self, low: Mapping[str, int], model: type[BaseModel], where: KeyPath) -> None:
        for key in (key for key in low if key in model.model_fields):
            self._note(
                f"{shown(where)} {key} is {low[key]}, which is not greater than or equal to "
                f"{least_of(key)}",
                (*where, key),
                f"config.example.toml says what {key} means",
            )

    def _levers(self, tables: object) -> list[Lever]:
        """Return the ways of stopping that the file sets up, each under a name of its own."""
        levers: list[Lever] = []
        for kind, value in tables.items() if isinstance(tables, dict) else ():
            if kind not in LEVERS:
                self._unknown_kind("lever", kind, LEVERS)
                continue
            cls = class_of(LEVERS[kind])
            model = model_of(kind, cls)
            for where, table in _each(("levers", kind), value):
                if isinstance(table, dict):
                    self._note_low(too_low(table), model, where)
                try:
                    values = model.model_validate(table).settled(self.path.parent)
                except ValidationError as error:
                    self._note_all(error, model, where)
                    continue
                lever = cls(**{field.name: getattr(values, field.name) for field in fields(cls)})
                if lever.name in {other.name for other in levers}:
                    self._note(
                        f'two levers are called "{lever.name}"', where, "give each its own name"
                    )
                levers.append(lever)
        return levers

    def _settled(self, key: str, value: object) -> object:
        is_place = key in _PLACES or key.endswith(tuple(f"_{place}" for place in _PLACES))
        return place(value, self.path.parent) if is_place and isinstance(value, str) else value

    def _unknown_kind(self, word: str, kind: str, registry: Mapping[str, str]) -> None:
        self._note(
            f'there is no {word} "{kind}"{did_you_mean(kind, registry)}',
            (f"{word}s", kind),
            f"choose one of {', '.join(sorted(registry))}",
        )

    def _note_all(self, error: ValidationError, model: type[BaseModel], at: KeyPath) -> None:
        for found in error.errors():
            self._note_one(found, model, at)

    def _note_one(self, found: Mapping[str, Any], model: type[BaseModel], at: KeyPath) -> None:
        where = (*at, *found["loc"])
        section, key = shown(where[:-1]), str(where[-1])
        if found["type"] == "extra_forbidden":
            allowed = list(section_of(model, found["loc"][:-1]).model_fields)
            self._note(
                f'{section} has no key "{key}"{did_you_mean(key, allowed)}',
                where,
                f"its keys are {', '.join(sorted(allowed))}",
            )
        elif found["type"] == "missing":
            self._note(f'{section} lacks the key "{key}"', where[:-1], f"add {key} = ...")
        elif isinstance(found["input"], dict) and found["type"] == "value_error":
            expected = found["msg"].removeprefix("Value error, ")
            self._note(f"{shown(where)} is not {expected}", where, "config.example.toml says more")
        else:
            value = "a secret" if _SECRETS.search(key.lower()) else _as_written(found["input"])
            expected = found["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
            self._note(
                f"{section} {key} is {value}, which is not {expected}",
                where,
                f"config.example.toml says what {key} means",
            )

    def _note(self, what: str, where: KeyPath, fix: str) -> None:
        line = line_of(self.text, where) or 0
        self.mistakes.append(Mistake(what, where=str(self.path), fix=fix, line=line))


def _as_written(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _each(where: KeyPath, value: object) -> list[tuple[KeyPath, object]]:
    """Return every table of a kind with its place: it is written once, or as a list."""
    if isinstance(value, list):
        return [((*where, position), table) for position, table in enumerate(value)]
    return [(where, value)]


def example_keys(registry: Mapping[str, str]) -> dict[str, set[str]]:
    """Return every section of the config file -> its keys."""
    sections = {"": {"state_dir"}}
    for name, section in sections_of(_File).items():
        sections[name] = set(section.model_fields)
    for kind, target in registry.items():
        model = model_of(kind, class_of(target), SOURCE_KEYS)
        sections[f"connectors.{kind}"] = set(model.model_fields)
    for kind, target in LEVERS.items():
        sections[f"levers.{kind}"] = set(model_of(kind, class_of(target)).model_fields)
    for name, section in detector_sections().items():
        sections[f"detectors.{name}"] = set(section.model_fields)
    return sections
