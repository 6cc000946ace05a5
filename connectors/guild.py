"""Guild AI: runs that its command wrote into folders, who ran them and where.

A run is a folder of attributes, one small file each. They are read where one was written since the
last night; a restarted run keeps its folder. Runs that were deleted lie in Guild's trash until that
is emptied, and are read there, since they cost money all the same; so are batches, which Guild
deletes when their trials are over. Words such as `team:vision` in tags and labels say whose a run
is and, with the flags that `flag_names` allows, what it is called elsewhere. The rest of a label is
left: where nobody wrote one, Guild puts the flags there.

Guild saves the whole environment of a run, secrets and all, in the attribute `env`: that file is
never opened, nor are those of the command line, the operation's definition and the output.

Verified against runs of Guild 0.9. Source: https://github.com/guildai/guildai
"""

from __future__ import annotations

import json
import logging
import re
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.base import SourceError
from connectors.run_changes import Days, Record, changes, table_of
from connectors.run_labels import NAMED, allowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Delivery, Known, Table

_log = logging.getLogger(__name__)
_OPEN = frozenset({"staged", "pending", "running"})
_NAMING = re.compile(r"([^:=]+)[:=](.+)")
_TIMES = ("initialized", "started", "stopped")

RUNS = table_of(
    "runs",
    {
        "package": "text",
        "model": "text",
        "operation": "text",
        "status": "text",
        "exit_status": "integer",
        **dict.fromkeys(_TIMES, "integer"),
        "written": "integer",
        "user_name": "text",
        "host": "text",
        "label": "text",
        "tags": "text",
        "vcs_commit": "text",
        "gpus": "text",
        "flags": "text",
        "inputs": "text",
        "batch": "text",
        "is_batch": "integer",
    },
)


@dataclass(frozen=True, slots=True)
class Guild:
    """The runs of one Guild home."""

    root: str
    """The folder that GUILD_HOME names, with `runs` in it."""
    flag_names: tuple[str, ...] = NAMED
    """Globs of which flags of a run, and words of its label, are copied; the rest may be secret."""
    overlap_days: int = 1
    """What was written in the days before the last extraction is read again."""
    rescan_days: int = 35
    """How far back all is read again, whatever the file system says."""
    rescan_every_days: int = 7
    """How often that is done."""
    backfill_days: int = 0
    """Days to look back on the first night; 0: to the first run. More days later fetch the rest."""

    name: ClassVar[str] = "guild"
    tables: ClassVar[Sequence[Table]] = (RUNS,)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield what is new or changed since the last delivery; nothing where nothing did.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield deliveries as of a time of extraction, whose unit they carry.

        Raises: SourceError, also where a run is damaged: after the others are delivered.
        """
        days = Days(self.overlap_days, self.rescan_days, self.rescan_every_days, self.backfill_days)
        runs = _Runs(self)
        yield from changes(RUNS, runs, known, at, days)
        _log.info("guild: %d runs, %d read", len(runs.folders()), runs.read)
        if runs.wrong:
            if len(runs.wrong) > 1:
                runs.wrong[0].add_note(f"and so for {len(runs.wrong) - 1} more runs")
            raise runs.wrong[0]


@dataclass(slots=True)
class _Runs:
    """The runs of a home, those in its trash too."""

    config: Guild
    read: int = 0
    wrong: list[SourceError] = field(default_factory=list)
    _folders: dict[str, Path] | None = None
    _batches: dict[str, str] = field(default_factory=dict)
    """Trial -> the batch that ran it."""

    def folders(self) -> dict[str, Path]:
        """Return id -> folder; looked up once.

        Raises: SourceError where there is no home.
        """
        if self._folders is None:
            home = Path(self.config.root)
            if not (home / "runs").is_dir():
                raise SourceError(
                    "there is no folder `runs`",
                    where=self.config.root,
                    fix="let root be what `guild check` calls guild_home, readable for mlspend",
                )
            self._folders = {
                folder.name: folder
                for place in (home / "trash" / "runs", home / "runs")
                if place.is_dir()
                for folder in sorted(place.iterdir())
                if (folder / ".guild" / "attrs").is_dir() and not folder.is_symlink()
            }
            for name, folder in self._folders.items():
                if (folder / ".guild" / "proto").is_dir():
                    trials = (one.name for one in folder.iterdir() if one.is_symlink())
                    self._batches |= dict.fromkeys(trials, name)
        return self._folders

    def changed(self, since: int) -> Iterator[Record]:
        """Yield runs of which something was written since."""
        for name, folder in self.folders().items():
            if not since or _touched(folder) >= since:
                record = self._record(name, folder)
                if record is not None:
                    yield record

    def by_key(self, key: str) -> Record | None:
        """Return a run; none for one whose folder is gone."""
        folder = self.folders().get(key)
        return None if folder is None else self._record(key, folder)

    def _record(self, name: str, folder: Path) -> Record | None:
        """Return a run; none for one that is being deleted."""
        self.read += 1
        try:
            return self._told(name, _Attributes(folder, self.wrong))
        except FileNotFoundError:
            return None

    def _told(self, name: str, given: _Attributes) -> Record:
        times = [given.whole(time) for time in _TIMES]
        written = max(given.written(), *(time or 0 for time in times))
        flags, status = given.table("flags"), given.status()
        package, model, operation = given.operation()
        row = (
            package,
            model,
            operation,
            status,
            given.whole("exit_status"),
            *times,
            written,
            given.text("user"),
            given.text("host"),
            json.dumps(allowed(_named_in(given.text("label") or ""), self.config.flag_names)),
            json.dumps(sorted(str(tag) for tag in given.value("tags") or ())),
            given.text("vcs_commit"),
            _text(given.table("run_params").get("gpus")),
            json.dumps(allowed(flags, self.config.flag_names)),
            json.dumps(sorted(set(_addresses(given.table("deps"))))),
            self._batches.get(name),
            int((given.folder / ".guild" / "proto").is_dir()),
        )
        return Record(name, [row], is_open=status in _OPEN, last_sign=written)


@dataclass(frozen=True, slots=True)
class _Attributes:
    """The attributes of a run, each in a file of YAML; one that is damaged is as if it were not."""

    folder: Path
    wrong: list[SourceError]
    """What was damaged."""

    def value(self, name: str) -> Any:
        """Return an attribute; none where there is none, or it is being written."""
        import yaml  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415 - slow to load

        path = self.folder / ".guild" / "attrs" / name
        try:
            # the loader in C, where there is one, is ten times as fast
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            return yaml.load(path.read_bytes(), loader) if path.exists() else None  # noqa: S506 - it is safe
        except (yaml.YAMLError, UnicodeDecodeError):
            self._note(path, "is not YAML")
            return None

    def text(self, name: str) -> str | None:
        """Return an attribute as text; none for an empty one."""
        return _text(self.value(name))

    def whole(self, name: str) -> int | None:
        """Return an attribute that is a whole number: times are microseconds since 1970."""
        value = self.value(name)
        if value is not None and not isinstance(value, int):
            self._note(self.folder / ".guild" / "attrs" / name, "is not a whole number")
            return None
        return value

    def table(self, name: str) -> dict[str, Any]:
        """Return an attribute that maps names to values."""
        value = self.value(name)
        return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}

    def status(self) -> str:
        """Return what Guild would say of the run, but for whether its process is there.

        That only the machine can tell that it ran on: it left a lock, or ended without a word.
        """
        guild = self.folder / ".guild"
        marks = {"LOCK.remote": "running", "PENDING": "pending", "STAGED": "staged"}
        for mark, status in marks.items():
            if (guild / mark).exists():
                return status
        code = self.whole("exit_status")
        if code is None:
            return "running" if (guild / "LOCK").exists() else "error"
        return "completed" if code == 0 else "terminated" if code < 0 else "error"

    def operation(self) -> tuple[str | None, str | None, str | None]:
        """Return package, model and operation: `guildfile:/srv/net/guild.yml`, `net`, `train`.

        Those of a batch are what its trials run.
        """
        path = self.folder / ".guild" / "proto" / ".guild" / "opref"
        if not path.exists():
            path = self.folder / ".guild" / "opref"
        if not path.exists():
            return None, None, None
        try:
            package, _, model, operation = shlex.split(path.read_text(encoding="utf-8"))
        except ValueError:
            self._note(path, "names no operation")
            return None, None, None
        return package, model, operation

    def written(self) -> int:
        """Return when the run last wrote anything that Guild keeps, in microseconds."""
        return max(
            one.stat().st_mtime_ns // 1000
            for one in (self.folder / ".guild", *(self.folder / ".guild").iterdir())
        )

    def _note(self, path: Path, what: str) -> None:
        self.wrong.append(
            SourceError(
                f"the attribute {path.name} of a run {what}",
                where=str(path),
                fix="mend the file, or delete the run with `guild runs delete`",
            )
        )


def _touched(folder: Path) -> int:
    """Return when an attribute was last written or copied here, in microseconds.

    By the time of change, which a copy that keeps other times cannot keep.
    """
    attrs = folder / ".guild" / "attrs"
    try:
        paths = (attrs, attrs.parent, *attrs.iterdir())
        return max(path.lstat().st_ctime_ns // 1000 for path in paths)
    except FileNotFoundError:
        return 0


def _addresses(deps: dict[str, Any]) -> Iterator[str]:
    """Yield what a run read, as it was named; what signs an address is a secret, and left out."""
    for sources in deps.values():
        for source in (sources if isinstance(sources, dict) else {}).values():
            uri = source.get("uri") if isinstance(source, dict) else None
            scheme, separator, rest = str(uri or "").partition(":")
            if separator and scheme not in {"operation", "config"}:
                host, slash, path = rest.removeprefix("//").partition("/")
                path = path.partition("?")[0]
                slashes = "//" if rest.startswith("//") else ""
                yield f"{scheme}:{slashes}{host.rpartition('@')[2]}{slash}{path}"


def _named_in(label: str) -> dict[str, object]:
    """Return the words of a label that name something; Guild itself puts flags there."""
    try:
        words = shlex.split(label)
    except ValueError:
        words = label.split()
    pairs = (_NAMING.fullmatch(word) for word in words)
    return {pair[1]: pair[2] for pair in pairs if pair}


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)
