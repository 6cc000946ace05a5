"""`mlspend init`: looks for what can be read from here, and writes a config file that says so.

No secret is written: where one is needed, the file names the environment variable that holds it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jobs.config import ConfigError, Mistake, read_config
from jobs.state import DEFAULT_STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KINDS = ("aws_cur", "focus", "mlflow", "prometheus")
_BILLS = ("aws_cur", "focus")
_WHAT = {
    "aws_cur": "AWS Cost and Usage Report (CUR 2.0 or legacy), as AWS writes it.",
    "focus": "Bills in the FOCUS format: an export of AWS or Azure, or a folder of files by month.",
    "mlflow": "MLflow: runs, the data they read, the models they made.",
    "prometheus": "Prometheus: which pods held which GPUs, and how busy they were.",
}
_PLACE = {"prometheus": "url"}
_CREDENTIALS = {
    "MLFLOW_TRACKING_TOKEN": "token_env",
    "MLFLOW_TRACKING_USERNAME": "username_env",
    "MLFLOW_TRACKING_PASSWORD": "password_env",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A source that can be read from here."""

    kind: str
    place: str
    told: str


def look_around(tell: Callable[[str], None]) -> list[Found]:
    """Look for bills, trackers and telemetry; tell what is there, and what is not and why."""
    found = [*_look_at_aws(tell), *_look_at_mlflow(tell), *_look_at_prometheus(tell)]
    for one in found:
        tell(f"found: {one.told}")
    return found


def _look_at_aws(tell: Callable[[str], None]) -> list[Found]:
    from connectors.reach import ask_aws  # noqa: PLC0415  (loads an HTTP client)

    reach = ask_aws()
    for problem in reach.problems:
        tell(f"not reached: {problem}")
    if reach.account and not reach.exports:
        tell(f"not found: AWS account {reach.account} lists no bill; give --aws-cur or --focus")
    return [
        Found(kind, root, f"{name} of AWS account {reach.account}: {root}")
        for name, kind, root in reach.exports
    ]


def _look_at_mlflow(tell: Callable[[str], None]) -> list[Found]:
    named = os.environ.get("MLFLOW_TRACKING_URI", "")
    if named and not named.startswith(("http://", "https://")):
        return [Found("mlflow", named, "MLflow, as MLFLOW_TRACKING_URI names it")]
    address = named or "http://localhost:5000"
    where = "MLFLOW_TRACKING_URI" if named else "MLFLOW_TRACKING_URI is not set"
    if _answers(f"{address.rstrip('/')}/health", "OK", f"MLflow at {_shown(address)}", where, tell):
        return [Found("mlflow", address, f"MLflow at {_shown(address)} ({where})")]
    stores = [path for path in (Path("mlflow.db"), Path("mlruns.db")) if path.is_file()]
    return [Found("mlflow", str(path.absolute()), f"MLflow's database {path}") for path in stores]


def _look_at_prometheus(tell: Callable[[str], None]) -> list[Found]:
    named = os.environ.get("PROMETHEUS_URL", "")
    address = named or "http://localhost:9090"
    where = "PROMETHEUS_URL" if named else "PROMETHEUS_URL is not set"
    asked = f"{address.rstrip('/')}/api/v1/status/buildinfo"
    if _answers(asked, '"success"', f"Prometheus at {_shown(address)}", where, tell):
        return [Found("prometheus", address, f"Prometheus at {_shown(address)} ({where})")]
    return []


def _answers(address: str, sign: str, what: str, where: str, tell: Callable[[str], None]) -> bool:
    """Ask whether a server is there, and is what it should be."""
    from connectors.reach import ask_once  # noqa: PLC0415  (loads an HTTP client)

    try:
        reply = ask_once(address)
    except OSError as error:
        tell(f"not reached: {what} ({where}): {error}")
        return False
    if sign in reply.text or reply.status in (401, 403):
        return True
    tell(f"not reached: {what} ({where}) answers {reply.status}, which is not what it would say")
    return False


def _shown(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def choose(found: Sequence[Found], given: Sequence[Found]) -> list[Found]:
    """Return one source of each kind, what is given first; of bills one alone.

    The bill of one company in two formats would be the same cost twice.
    """
    chosen = list(given)
    for one in found:
        kinds = {each.kind for each in chosen}
        is_second_bill = one.kind in _BILLS and kinds & set(_BILLS)
        if one.kind not in kinds and not is_second_bill:
            chosen.append(one)
    return chosen


def _refuse_credentials(source: Found) -> None:
    """Refuse an address that holds a secret.

    Raises: ConfigError
    """
    parts = urlsplit(source.place)
    if parts.password or (parts.username and parts.scheme.startswith("http")):
        raise ConfigError(
            [
                Mistake(
                    f"the address of {source.kind} holds credentials, which are never written",
                    where=_shown(source.place),
                    fix="give the address without them, and set MLFLOW_TRACKING_USERNAME and "
                    "MLFLOW_TRACKING_PASSWORD, or a token",
                )
            ]
        )


def text_for(
    config_path: Path, chosen: Sequence[Found], found: Sequence[Found], state_dir: str
) -> str:
    """Return the text of the config file that reads what was chosen of what was found.

    Raises: ConfigError for an address that holds a secret.
    """
    for source in chosen:
        _refuse_credentials(source)
    places = {source.place for source in chosen}
    others = [one for one in found if one.kind in _BILLS and one.place not in places]
    settled = [Found(one.kind, _settled_place(one.place, config_path), one.told) for one in chosen]
    return _compose(settled, others, _settled_place(state_dir, config_path, DEFAULT_STATE))


def _settled_place(place: str, config_path: Path, default: str = "") -> str:
    """Return a path as it is to be written: the file's relative ones begin at its folder."""
    if place == default or ":" in place or config_path.absolute().parent == Path.cwd():
        return place
    return str(Path(place).expanduser().absolute())


def _compose(chosen: Sequence[Found], others: Sequence[Found], state_dir: str) -> str:
    """Return the text of a config file."""
    lines = [
        "# mlspend: written by `mlspend init`; config.example.toml lists every key.",
        "# Secrets never stand here: keys in _env name variables, keys in _file name files.",
        "",
        "# Where everything is kept: raw files, the lake, generations, reports, the journal.",
        f"state_dir = {_quoted(state_dir)}",
    ]
    for kind in KINDS:
        many = [one for one in chosen if one.kind == kind]
        for number, one in enumerate(many):
            head = f"[[connectors.{kind}]]" if len(many) > 1 else f"[connectors.{kind}]"
            lines += ["", f"# {_WHAT[kind]}", head]
            lines += [f'source = "{kind}-{number + 1}"'] if len(many) > 1 else []
            lines.append(f"{_PLACE.get(kind, 'root')} = {_quoted(one.place)}")
            lines += _named_secrets(one)
    if others:
        lines += ["", "# Found too, and left out: of one bill in two forms only one may count."]
        lines += [f"# [connectors.{one.kind}] root = {_quoted(one.place)}" for one in others]
    lines += [
        "",
        "[operations]",
        "# Who is mailed when a night fails.",
        "#operators = []",
        "# How many months before this one are fetched at first; 0: all there is.",
        "#backfill_months = 0",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _named_secrets(source: Found) -> list[str]:
    """Name the variables that hold this source's credentials, where the environment has them."""
    if source.kind != "mlflow" or not source.place.startswith("http"):
        return []
    return [f'{key} = "{name}"' for name, key in _CREDENTIALS.items() if os.environ.get(name)]


def write_config(path: Path, text: str, *, force: bool) -> None:
    """Write a config file that nobody else may read, once it is proven without mistakes.

    Raises: ConfigError for a file that is there already, or a mistake in what was given.
    """
    path = path.absolute()
    if path.exists() and not force:
        raise ConfigError([_there_already(path)])
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.half")
    half.unlink(missing_ok=True)
    try:
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        read_config(half)
        if force:
            half.replace(path)
        else:
            os.link(half, path)  # which fails where somebody was quicker
    except FileExistsError as error:
        raise ConfigError([_there_already(path)]) from error
    finally:
        with suppress(OSError):
            half.unlink()


def _there_already(path: Path) -> Mistake:
    fix = "give another place by --config, or --force to write over it"
    return Mistake("there is a config file already", where=str(path), fix=fix)
