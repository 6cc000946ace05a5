"""A real VictoriaMetrics for the tests, with history: the other engine that answers PromQL."""

from __future__ import annotations

import shutil
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.cache import unpack_debs
from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@contextmanager
def victoria_metrics_with(
    series: Iterable[tuple[str, Mapping[str, str], int, float]],
) -> Iterator[str]:
    """Run it on samples (metric, labels, seconds since the epoch, value); yield its URL."""
    with tempfile.TemporaryDirectory(prefix="victoria-") as name:
        url = f"http://127.0.0.1:{free_port()}"
        command = [str(_program()), f"-storageDataPath={name}/data", "-retentionPeriod=100y"]
        command += [f"-httpListenAddr={url.removeprefix('http://')}"]
        with running(command, log=Path(name) / "log", is_ready=lambda: _asked(f"{url}/health")):
            lines = [
                f"{metric}{{{_inside(labels)}}} {value} {at * 1000}"
                for metric, labels, at, value in series
            ]
            content = "\n".join([*lines, ""]).encode()
            urllib.request.urlopen(f"{url}/api/v1/import/prometheus", content, timeout=30).close()  # noqa: S310
            # what was written is searched only once it is flushed
            _asked(f"{url}/internal/force_flush")
            yield url


def _inside(labels: Mapping[str, str]) -> str:
    return ",".join(f'{key}="{text}"' for key, text in labels.items())


def _program() -> Path:
    installed = shutil.which("victoria-metrics")
    if installed is not None:
        return Path(installed)
    unpacked = unpack_debs("victoria-metrics", ["victoria-metrics"])
    return unpacked / "usr" / "bin" / "victoria-metrics"


def _asked(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except OSError:
        return False
