"""A real browser for tests: Chromium without a window, spoken to through a pair of pipes.

It uses the `chromium` that is installed (`apt-get install chromium`), in a profile of its own and
without a network, and speaks the DevTools protocol: what a page asked for, what it complained
about and what it drew can all be asked.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)


def chromium_path() -> str:
    """Return the installed browser.

    Raises: FileNotFoundError with the package to install.
    """
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    raise FileNotFoundError("no browser is installed: apt-get install -y chromium")


@dataclass(slots=True)
class Look:
    """How the page is looked at."""

    width: int = 1280
    height: int = 900
    theme: Literal["light", "dark"] = "light"


@dataclass(slots=True)
class Shown:
    """A page as it was loaded: what it asked for, and what it complained about."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class Chromium:
    """One browser with one page; a context manager."""

    def __init__(self, profile: Path) -> None:
        self.profile = profile
        self.number = 0
        self.half = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        """Start the browser."""
        down, up = _high_pipe(), _high_pipe()
        self.process = subprocess.Popen(
            # The shell gives the two pipes the numbers that the protocol wants.
            [
                *("/bin/bash", "-c", f'exec "$@" 3<&{down[0]} 4>&{up[1]}', "chromium"),
                *(chromium_path(), *FLAGS, f"--user-data-dir={self.profile}", "about:blank"),
            ],
            pass_fds=(down[0], up[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(down[0])
        os.close(up[1])
        self.to, self.back = down[1], up[0]
        (target,) = [
            one
            for one in self.call("Target.getTargets", session=None)["targetInfos"]
            if one["type"] == "page"
        ]
        attached = self.call(
            "Target.attachToTarget", session=None, targetId=target["targetId"], flatten=True
        )
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        """End the browser."""
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)

    def call(self, method: str, *, session: str | None = "page", **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        for answer in self._messages(time.monotonic() + SECONDS):
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])
            self.events.append(answer)
        raise TimeoutError(method)

    def _messages(self, until: float) -> Iterator[dict[str, Any]]:
        while True:
            whole, mark, rest = self.half.partition(b"\0")
            if mark:
                self.half = rest
                yield json.loads(whole)
                continue
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.back], [], [], left)[0]:
                return
            chunk = os.read(self.back, 1 << 20)
            assert chunk, "the browser ended"
            self.half += chunk

    def open(self, page: Path, look: Look) -> Shown:
        """Load a page from the disk and wait until it stands still."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=look.width,
            height=look.height,
            deviceScaleFactor=1,
            mobile=look.width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": look.theme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        until = time.monotonic() + SECONDS
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            event = next(self._messages(until), None)
            if event is None:
                raise TimeoutError(f"{page} does not finish loading")
            self.events.append(event)
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done, 60)))")
        return self.shown()

    def shown(self) -> Shown:
        """Return what the page has asked for and complained about since it was opened."""
        shown = Shown()
        for event in self.events:
            params = event.get("params", {})
            if event["method"] == "Network.requestWillBeSent":
                shown.requests.append(params["request"]["url"])
            elif event["method"] == "Runtime.exceptionThrown":
                shown.complaints.append(params["exceptionDetails"]["text"])
            elif event["method"] == "Log.entryAdded":
                shown.complaints.append(params["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] != "debug":
                shown.complaints.append(f"{params['type']}: {params['args']}")
        return shown

    def run(self, script: str) -> Any:
        """Run JavaScript in the page and return its value as Python has it."""
        result = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key as a person does."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
            )

    def picture(self, target: Path) -> None:
        """Write a picture of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        target.write_bytes(base64.b64decode(shot["data"]))


def _high_pipe() -> tuple[int, int]:
    """Return a pipe whose ends stand clear of 3 and 4."""
    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in low]
    for end in low:
        os.close(end)
    return high[0], high[1]
