"""Where the state lies, read without the rest of the config file: readers must start fast."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

DEFAULT_CONFIG = "mlspend.toml"
DEFAULT_STATE = "state"
SQLITE = "sqlite:///"
"""What MLflow writes before the path of a database, relative ones too."""
DEMO_CONFIG = "demo/config.toml"
"""Where `nightly --demo` writes one, if it is not told another folder."""
AUDIENCES = "audiences"
"""The folder below the reports that has a folder for each audience."""
SITE_MARKER = "generation"
"""The file of a site that names the generation it shows; it is written last."""


def reports_of(state_dir: Path, audience: str = "") -> Path:
    """Return the folder of everybody's sites, or of an audience's."""
    reports = state_dir / "reports"
    return reports / AUDIENCES / audience if audience else reports


def place(value: str, folder: Path) -> str:
    """Take a relative path as one below `folder`; leave URLs, and what is not given, alone."""
    if value.startswith(SQLITE):
        return SQLITE + place(value.removeprefix(SQLITE), folder)
    if not value or "://" in value:
        return value
    return os.path.normpath(folder / Path(value).expanduser())


def state_dir_of(config: Path) -> Path | None:
    """Return the state folder that a config file names; none where it cannot be told."""
    try:
        named = tomllib.loads(config.read_text(encoding="utf-8")).get("state_dir", DEFAULT_STATE)
    except (OSError, ValueError):
        return None
    return Path(place(named, config.absolute().parent)) if isinstance(named, str) else None
