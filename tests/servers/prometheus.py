"""A real Prometheus for the tests, with history: samples are written as OpenMetrics beforehand."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

from tests.servers.cache import unpack_debs
from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_QUIET = "global:\n  scrape_interval: 1h\nscrape_configs: []\n"


@contextmanager
def prometheus_with(series: Iterable[tuple[str, Mapping[str, str], int, float]]) -> Iterator[str]:
    """Run Prometheus on samples (metric, labels, seconds since the epoch, value); yield its URL."""
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="prometheus-") as name:
        folder = Path(name)
        (folder / "samples.txt").write_text(_open_metrics(series), encoding="utf-8")
        (folder / "prometheus.yml").write_text(_QUIET, encoding="utf-8")
        subprocess.run(
            [
                str(programs / "promtool"),
                *("tsdb", "create-blocks-from", "openmetrics"),
                *(str(folder / "samples.txt"), str(folder / "data")),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        url = f"http://127.0.0.1:{free_port()}"
        command = [str(programs / "prometheus"), f"--config.file={folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={folder / 'data'}"]
        command += ["--storage.tsdb.retention.time=100y"]
        command += [f"--web.listen-address={url.removeprefix('http://')}"]
        with running(command, log=folder / "log", is_ready=lambda: _is_ready(url)):
            yield url


def _programs() -> Path:
    installed = shutil.which("prometheus")
    if installed is not None:
        return Path(installed).parent
    return unpack_debs("prometheus", ["prometheus"]) / "usr" / "bin"


def _open_metrics(series: Iterable[tuple[str, Mapping[str, str], int, float]]) -> str:
    """Write samples by family, each family's by series and time, as promtool wants them."""
    families: dict[str, list[str]] = {}
    for metric, labels, at, value in series:
        inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
        families.setdefault(metric, []).append(f"{metric}{{{inside}}} {value} {at}")
    lines = []
    for metric, samples in families.items():
        lines += [f"# TYPE {metric} unknown", *samples]
    return "\n".join([*lines, "# EOF", ""])


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
