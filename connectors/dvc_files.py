"""The files that DVC writes into a repository, as the raw tables that they are delivered in.

Folders that DVC tracks are not looked into: they may hold millions of files.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import join, normpath
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError, Table
from connectors.dvc_places import read_remotes, resolved
from connectors.dvc_stages import Definition, definitions_of, named_runs, text_tags
from connectors.records import as_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.dvc_places import Remotes

Row = tuple[object, ...]

FILES = Table(
    name="files",
    columns={
        "repository": "text",
        "stage": "text",
        "stage_digest": "text",
        "role": "text",
        "path": "text",
        "tracked_path": "text",
        "digest": "text",
        "size": "integer",
        "nfiles": "integer",
        "place": "text",
        "artifact": "text",
        "artifact_type": "text",
        "meta": "tags",
    },
)
"""What is tracked (role `out`), and what a stage read (`dep`): `tracked_path`, or a part of it."""

STAGES = Table(
    name="stages",
    columns={"repository": "text", "stage": "text", "digest": "text", "tags": "tags"},
)


def read_repository(root: str, name: str) -> tuple[list[Row], list[Row]]:
    """Return the rows of `files` and of `stages`, in an order of their own.

    Raises: SourceError
    """
    top = Path(root).expanduser()
    if not (top / ".dvc").is_dir():
        raise SourceError(
            "there is no repository with data that DVC tracks",
            where=root,
            fix="name the folder that holds `.dvc`, where `dvc init` was run",
        )
    reading = _Reading(top, name or top.resolve().name, read_remotes(top / ".dvc"))
    for folder in _folders(reading):
        reading.read(folder)
    return reading.rows()


def _folders(reading: _Reading) -> Iterator[str]:
    """Yield folders with files of DVC, before what lies below them; none that is tracked itself."""
    for folder, folders, names in os.walk(reading.top, onerror=_unreadable):
        below = Path(folder).relative_to(reading.top).as_posix()
        if any(name.endswith(".dvc") or name in ("dvc.yaml", "dvc.lock") for name in names):
            yield below
        folders[:] = sorted(
            one
            for one in folders
            if not one.startswith(".")
            and normpath(join(below, one)) not in reading.tracked
            and not (Path(folder) / one / ".dvc").is_dir()
        )


def _unreadable(error: OSError) -> None:
    raise SourceError(
        f"a folder cannot be read: {error.strerror}",
        where=str(error.filename),
        fix="let the user that runs mlspend read it",
    ) from error


@dataclass(slots=True)
class _Item:
    """An output or a dependency."""

    stage: str | None
    stage_digest: str | None
    role: str
    path: str
    told: Mapping[str, Any]
    place: str | None
    artifact: str | None = None
    artifact_type: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Reading:
    """What has been read of a repository so far."""

    top: Path
    name: str
    remotes: Remotes
    tracked: dict[str, _Item] = field(default_factory=dict)
    """By path, what DVC tracks."""
    items: list[_Item] = field(default_factory=list)
    stages: list[Row] = field(default_factory=list)
    artifacts: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """By path, what `dvc.yaml` calls it, and of what type it is."""

    def read(self, folder: str) -> None:
        """Read the files of DVC in a folder.

        Raises: SourceError
        """
        for path in sorted((self.top / folder).glob("*.dvc")):
            if path.is_file():
                self._read_tracked(folder, path)
        told = _parsed(self.top / folder / "dvc.yaml")
        for name, artifact in _mapping(told.get("artifacts")).items():
            path_of = normpath(join(folder, str(_mapping(artifact).get("path", ""))))
            self.artifacts[path_of] = (name, _mapping(artifact).get("type") or None)
        locked = _parsed(self.top / folder / "dvc.lock")
        entries = _mapping(locked if "schema" not in locked else locked.get("stages"))
        definitions = definitions_of(_mapping(told.get("stages")))
        for name, entry in entries.items():
            definition = definitions.get(name.partition("@")[0], Definition())
            self._read_stage(folder, name, entry, definition)

    def _read_tracked(self, folder: str, file: Path) -> None:
        """Read a `*.dvc` file: data that somebody added, or imported from elsewhere."""
        told = _parsed(file)
        base = normpath(join(folder, str(told.get("wdir") or ".")))
        is_others = any("repo" in dep for dep in _listed(told, "deps", file))
        for out in _listed(told, "outs", file):
            item = self._out(base, out, None if is_others else out)
            item.meta = text_tags(told.get("meta"))
            self._track(item)

    def _read_stage(self, folder: str, name: str, entry: object, definition: Definition) -> None:
        """Read what a stage read and wrote when it last ran."""
        lock = self.top / folder / "dvc.lock"
        outs, deps = _listed(entry, "outs", lock), _listed(entry, "deps", lock)
        stage = name if folder == "." else f"{folder}/dvc.yaml:{name}"
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]
        base = normpath(join(folder, definition.wdir))
        for out in outs:
            flags = definition.flags(str(out["path"]))
            item = self._out(base, out, flags)
            item.stage, item.stage_digest = stage, digest
            item.meta = definition.meta
            item.artifact_type = flags.get("type") or None
            self._track(item)
        for dep in deps:
            path = resolved(str(dep["path"]), self.remotes.by_name)
            is_address = "://" in path
            here = path if is_address else normpath(join(base, path))
            place = path if is_address else None
            self.items.append(_Item(stage, digest, "dep", here, dep, place))
        tags = {
            **definition.meta,
            **named_runs(self.top / base, outs, _mapping(entry).get("params")),
        }
        self.stages.append((self.name, stage, digest, _as_map(tags)))

    def _out(self, base: str, out: Mapping[str, Any], flags: Mapping[str, Any] | None) -> _Item:
        """Return an output; without flags it is kept by another repository."""
        path = resolved(str(out["path"]), self.remotes.by_name)
        if "://" in path:
            return _Item(None, None, "out", path, out, path)
        path, place = normpath(join(base, path)), None
        if flags is not None and "false" not in (flags.get("cache"), flags.get("push")):
            remote = _cloud_remote(out) or str(flags.get("remote") or "")
            place = self.remotes.place(remote, path, _digest(out), str(out.get("hash") or ""))
        return _Item(None, None, "out", path, out, place)

    def _track(self, item: _Item) -> None:
        self.items.append(item)
        self.tracked[item.path] = item

    def rows(self) -> tuple[list[Row], list[Row]]:
        """Return all rows; a dependency that is no data of DVC's is code, and left out."""
        rows = []
        for item in self.items:
            tracked = self._tracked_above(item.path)
            if tracked is None and item.place is None:
                continue
            place = item.place
            if (
                place is None
                and tracked is not None
                and _digest(tracked.told) == _digest(item.told)
            ):
                place = tracked.place
            artifact, kind = self.artifacts.get(item.path, (None, None))
            rows.append(
                (
                    self.name,
                    item.stage,
                    item.stage_digest,
                    item.role,
                    item.path,
                    tracked.path if tracked else None,
                    _digest(item.told) or None,
                    _size(item.told),
                    _whole(item.told.get("nfiles")),
                    place,
                    artifact,
                    kind or item.artifact_type,
                    _as_map(item.meta),
                )
            )
        return sorted(rows, key=repr), sorted(self.stages, key=repr)

    def _tracked_above(self, path: str) -> _Item | None:
        """Return what DVC tracks that a path is, or lies in."""
        while path and path != ".":
            if path in self.tracked:
                return self.tracked[path]
            path = path.rpartition("/")[0]
        return None


def _parsed(path: Path) -> Mapping[str, Any]:
    """Return what a file of YAML holds, all scalars as text; nothing for one that is not there.

    Raises: SourceError
    """
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import

    try:
        told = yaml.load(path.read_text(encoding="utf-8"), yaml.CBaseLoader)  # noqa: S506 - texts alone
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise _wrong(path, f"{path.name} cannot be read{line}") from error
    if not isinstance(told, dict):
        raise _wrong(path, f"{path.name} is not what DVC writes")
    return told


def _listed(told: object, key: str, file: Path) -> list[dict[str, Any]]:
    """Return outputs or dependencies, each with a path; none where there is no such key.

    Raises: SourceError
    """
    listed = _mapping(told).get(key) or []
    if not (
        isinstance(told, dict)
        and isinstance(listed, list)
        and all(isinstance(one, dict) and isinstance(one.get("path"), str) for one in listed)
    ):
        raise _wrong(file, f"{key} of {file.name} are not written as DVC does")
    return listed


def _mapping(told: object) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _wrong(path: Path, what: str) -> SourceError:
    fix = "resolve conflicts of a merge; `dvc status` must understand the file"
    return SourceError(what, where=str(path), fix=fix)


def _parts(out: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the files of a folder, where they are listed one by one."""
    files = out.get("files")
    return [one for one in files if isinstance(one, dict)] if isinstance(files, list) else []


def _cloud_remote(out: Mapping[str, Any]) -> str:
    """Return the remote that states a version of its own for an output."""
    return next((name for one in (out, *_parts(out)) for name in _mapping(one.get("cloud"))), "")


def _digest(out: Mapping[str, Any]) -> str:
    """Return what tells this version from others; of files listed one by one, that of the list."""
    for key in ("md5", "etag", "checksum"):
        if out.get(key):
            return str(out[key])
    parts = sorted((str(one.get("relpath")), _digest(one)) for one in _parts(out))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32] if parts else ""


def _size(out: Mapping[str, Any]) -> int | None:
    sizes = [_whole(one.get("size")) for one in _parts(out)]
    return sum(size or 0 for size in sizes) if sizes else _whole(out.get("size"))


def _whole(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isdecimal() else None


def _as_map(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return as_map(tuple(sorted(tags.items())))
