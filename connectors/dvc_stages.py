"""What `dvc.yaml` says of stages, and the runs of other systems that they name."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_NAMES_RUN = re.compile(
    r"(^|[._/-])((run|job|task|submission|dag)[_-]?id|DAG_RUN_ID|map_index)$|^finops\.",
    re.IGNORECASE,
)
_MOST_BYTES = 1_000_000
"""A metrics file is small; a larger one is not opened."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A stage as it is written in `dvc.yaml`."""

    wdir: str = "."
    meta: Mapping[str, str] = field(default_factory=dict)
    outs: Sequence[tuple[re.Pattern[str], Mapping[str, Any]]] = ()
    """Of each output its path, `${...}` standing for anything, and its flags."""

    def flags(self, path: str) -> Mapping[str, Any]:
        """Return the flags of an output; none where it has none."""
        for pattern, flags in self.outs:
            if pattern.fullmatch(path):
                return flags
        return {}


def definitions_of(stages: Mapping[str, Any]) -> dict[str, Definition]:
    """Return the definitions by name; stages that are made in a loop have one together."""
    found = {}
    for name, written in stages.items():
        told = written.get("do", written) if isinstance(written, dict) else {}
        if not isinstance(told, dict):
            continue
        outs = [
            (_pattern(path), flags)
            for kind in ("outs", "metrics", "plots")
            for path, flags in _each(told.get(kind))
        ]
        wdir = str(told.get("wdir") or ".")
        found[name] = Definition(wdir, text_tags(told.get("meta")), tuple(outs))
    return found


def _each(outs: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for out in outs if isinstance(outs, list) else ():
        if isinstance(out, dict):
            for path, flags in out.items():
                yield path, flags if isinstance(flags, dict) else {}
        else:
            yield str(out), {}


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\$\{[^}]*\}", path)
    return re.compile(".*".join(re.escape(part) for part in parts))


def text_tags(told: object) -> dict[str, str]:
    """Return what a mapping says in single words, those below as `mlflow.run_id`."""
    return dict(_flat(told))


def _flat(told: object, above: str = "") -> Iterator[tuple[str, str]]:
    if not isinstance(told, dict):
        return
    for key, value in told.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        elif isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            yield f"{above}{key}", str(value)


def named_runs(folder: Path, outs: Sequence[Mapping[str, Any]], params: object) -> dict[str, str]:
    """Return what metrics files and recorded parameters call runs and jobs, and nothing else.

    A metrics file counts while it is the one that the stage wrote.
    """
    found: dict[str, str] = {}
    for of_file in params.values() if isinstance(params, dict) else ():
        found.update(_flat(of_file))
    for out in outs:
        if str(out["path"]).endswith((".json", ".yaml", ".yml")):
            found.update(_flat(_metrics(folder / str(out["path"]), str(out.get("md5") or ""))))
    return {key: value for key, value in sorted(found.items()) if _NAMES_RUN.search(key)}


def _metrics(path: Path, digest: str) -> object:
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import

    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        content = path.read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != digest:
            return None
        if path.suffix == ".json":
            return json.loads(content)
        return yaml.load(content, yaml.CBaseLoader)  # noqa: S506 - texts alone
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None  # it is the stage's own business what it writes
