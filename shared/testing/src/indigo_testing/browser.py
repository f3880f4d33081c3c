"""A headless Chromium for tests, driven over two pipes (Chrome DevTools Protocol).

No port is opened and nothing is downloaded. The browser is the one of the system: ``apt-get install chromium``.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSTALL = "apt-get install -y chromium"

PATIENCE = 30.0
"""Seconds a command or a page may take: far more than it does, for busy machines."""

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--headless",
    "--no-sandbox",  # test machines run as root; the pages are our own
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
)

_MEASURE = """(() => {
  const wide = document.documentElement.clientWidth;
  const channels = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = color => channels(color).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = element => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if ((channels(color)[3] ?? 1) === 1) return color;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? 'rgb(18, 18, 18)' : 'rgb(255, 255, 255)';
  };
  const contrast = element => {
    const [low, high] = [getComputedStyle(element).color, ground(element)].map(luminance).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const has_text = element => [...element.childNodes].some(each => each.nodeType === 3 && each.data.trim());
  const reaches = element => element.getBoundingClientRect().right + scrollX;
  const boxed = element => element.closest('.scroll, pre');
  return {
    title: document.title,
    lang: document.documentElement.lang,
    headings: [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(each => [+each.tagName[1], each.innerText]),
    overflow: document.documentElement.scrollWidth - wide,
    sticking_out: [...document.body.querySelectorAll('*')]
      .filter(each => reaches(each) > wide + 1 && !boxed(each)).map(each => each.outerHTML.slice(0, 200)),
    faint: [...document.body.querySelectorAll('*')]
      .filter(each => has_text(each) && each.checkVisibility() && contrast(each) < 4.5)
      .map(each => `${contrast(each).toFixed(1)}: ${each.outerHTML.slice(0, 200)}`),
    text: document.body.innerText,
  };
})()"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A page as the browser showed it. Widths are in CSS pixels."""

    status: int
    title: str
    lang: str
    headings: list[tuple[int, str]]
    """Level and text, in the order of the document."""
    overflow: int
    """By how much the page is wider than the window."""
    sticking_out: list[str]
    """Beginnings of elements that reach beyond the right edge, and are in no box that scrolls."""
    faint: list[str]
    """Beginnings of elements whose text has less contrast than 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    text: str
    complaints: list[str]
    """Errors and warnings in the console (violated policies, failed requests), but for the page's own status."""
    requests: list[str]
    """Every address that was asked for."""


def assert_whole(seen: Seen, status: int) -> None:
    """Fails unless the page came with ``status``, complains of nothing, fits its window and has an outline."""
    assert seen.status == status
    assert seen.complaints == []
    assert (seen.overflow, seen.sticking_out) == (0, [])
    assert seen.faint == []
    assert seen.title
    assert seen.lang == "en"
    levels = [level for level, _ in seen.headings]
    assert levels.count(1) == 1, seen.headings
    assert all(after - before <= 1 for before, after in zip([0, *levels], levels, strict=False)), seen.headings


class BrowserError(RuntimeError):
    """The browser refused a command, ended, or did not answer in time."""


class Browser:
    """One browser with one tab."""

    def __init__(self, process: subprocess.Popen[bytes], commands: int, answers: int) -> None:
        self._process = process
        self._commands = commands
        self._answers = answers
        self._unread = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session: str | None = None
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def show(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Seen:
        """Load ``url`` in a window of ``width`` and wait until it is there."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Log.clear")
        self._events.clear()
        loading = self.call("Page.navigate", url=url)
        if "errorText" in loading:
            raise BrowserError(f"{url}: {loading['errorText']}")
        while not self._named("Page.loadEventFired"):
            self._events.append(self._receive())
        found = self.value(_MEASURE)
        found["headings"] = [(level, text) for level, text in found["headings"]]
        main = [one for one in self._named("Network.responseReceived") if one["type"] == "Document"]
        document = main[-1]["response"]
        return Seen(
            status=document["status"],
            complaints=[
                f"{entry['entry']['text']} ({entry['entry'].get('url', '')})"
                for entry in self._named("Log.entryAdded")
                if entry["entry"]["level"] in {"warning", "error"}
                and (entry["entry"]["source"], entry["entry"].get("url")) != ("network", document["url"])
            ],
            requests=[one["request"]["url"] for one in self._named("Network.requestWillBeSent")],
            **found,
        )

    def press_tab(self) -> None:
        """Move the keyboard's focus on."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to in the page, as JSON."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise BrowserError(result["exceptionDetails"]["exception"]["description"])
        return result["result"].get("value")

    def picture(self) -> bytes:
        """The whole page that is shown, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result. Raises ``BrowserError`` when it is refused."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._number > 1 and self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") != self._number:
                self._events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']['message']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def _named(self, event: str) -> list[dict[str, Any]]:
        return [one["params"] for one in self._events if one.get("method") == event]

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], max(deadline - time.monotonic(), 0))
            read = os.read(self._answers, 1 << 20) if ready else b""
            if not read:
                why = "has ended" if ready else f"said nothing for {PATIENCE:.0f} s"
                raise BrowserError(f"the browser {why}")
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        return told

    def close(self) -> None:
        """End the browser and everything it started."""
        try:
            os.write(self._commands, b'{"id":0,"method":"Browser.close"}\0')
            self._process.wait(PATIENCE)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            os.close(self._commands)
            os.close(self._answers)


def chromium() -> str | None:
    """The path of the system's browser; None when there is none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser(executable: str, profile: Path) -> Iterator[Browser]:
    """A browser for the length of the block; ``profile`` is an empty folder of its own."""
    theirs_in, commands = os.pipe()
    answers, theirs_out = os.pipe()
    # The protocol's file descriptors are 3 and 4; a shell puts ours there.
    script = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        [
            "/bin/bash",
            "-c",
            script,
            executable,
            *_QUIET,
            f"--user-data-dir={profile}",
            "--remote-debugging-pipe",
            "about:blank",
        ],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=(profile / "stderr").open("wb"),
    )
    os.close(theirs_in)
    os.close(theirs_out)
    driven = Browser(process, commands, answers)
    try:
        yield driven
    finally:
        driven.close()
