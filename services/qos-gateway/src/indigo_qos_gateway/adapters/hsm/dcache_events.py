"""dCache's storage events: what changes in a directory is told over one open connection, so nobody need ask.

Events make looks come sooner and never replace them: one that is lost costs the usual time between two looks.

Source: dCache User Guide, "Storage Events" (``events/channels``, subscriptions of the type ``inotify``, SSE with
``Last-Event-ID``); the namespace tells ``IN_ATTRIB`` when a copy on a pool comes or goes.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.paths import parent

log = structlog.get_logger()

_FLAGS = ["IN_ATTRIB", "IN_DELETE", "IN_MOVED_FROM"]
_MOST_DIRECTORIES = 256
_MOST_PATHS = 10_000
_LONGEST_LINE = 1 << 20
_LONGEST_ID = 100
_AGAIN_SECONDS = 300.0
RECONNECT_SECONDS = 1.0


class DCacheEvents:
    """One channel of this process. ``url`` ends with ``/api/v1``; ``base`` is where the tree is in the namespace.

    ``remote`` is its own and nobody else's: an open connection on which nothing happens is no system that hangs.
    """

    def __init__(self, remote: Remote, url: str, base: str) -> None:
        self._remote = remote
        self._url = f"{url.rstrip('/')}/events/channels"
        self._base = base.rstrip("/")
        self._channel: str | None = None
        self._reading: asyncio.Task[None] | None = None
        self._last = ""
        self._directories: dict[str, str] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._opening = asyncio.Lock()
        self._not_before = 0.0

    async def wait(self, path: str, seconds: float) -> None:
        """Return when something happened to a path, or after so many seconds.

        The first call for a path returns at once, when its events are told from now on.
        """
        if await self._watch(path):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                event = self._changed.get(path)
                await (event.wait() if event is not None else asyncio.sleep(seconds))
                if event is not None:
                    event.clear()

    async def close(self) -> None:
        """Give the channel back: each user may have only so many."""
        await self._give_back()
        await self._remote.close()

    async def _give_back(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        channel, self._channel, self._reading = self._channel, None, None
        self._directories.clear()
        self._wake_all()
        if channel is not None:
            with suppress(Unavailable):
                await self._remote.send("DELETE", f"{self._url}/{channel}", also={404})

    async def _watch(self, path: str) -> bool:
        """Whether events of a path are told now and were not before."""
        directory = parent(path)
        async with self._opening:
            if path in self._changed and directory in self._directories.values():
                return False
            now = asyncio.get_running_loop().time()
            if now < self._not_before:
                return False
            try:
                await self._subscribe(directory)
            except (Unavailable, ObjectNotFound) as error:
                log.warning("dcache.no_events", backend=self._remote.name, error=str(error))
                self._not_before = now + _AGAIN_SECONDS
                return False
        while len(self._changed) >= _MOST_PATHS:
            self._changed.pop(next(iter(self._changed))).set()
        self._changed.setdefault(path, asyncio.Event())
        return True

    async def _subscribe(self, directory: str) -> None:
        if (self._reading is not None and self._reading.done()) or len(self._directories) >= _MOST_DIRECTORIES:
            await self._give_back()
        if self._channel is None:
            response = await self._remote.send("POST", self._url, json={})
            self._channel = self._last_part(response)
            self._reading = asyncio.create_task(self._read(self._channel))
        if directory not in self._directories.values():
            selector = {"path": (self._base + directory).rstrip("/") or "/", "flags": _FLAGS}
            address = f"{self._url}/{self._channel}/subscriptions/inotify"
            self._directories[self._last_part(await self._remote.send("POST", address, json=selector))] = directory

    def _last_part(self, response: httpx.Response) -> str:
        """The name of what was made; the host that dCache names is its own idea of where it is."""
        found = urlsplit(response.headers.get("location", "")).path.rstrip("/").rpartition("/")[2]
        if not found:
            raise self._remote.strange(response)
        return str(found)

    async def _read(self, channel: str) -> None:
        """Read events until the channel is gone; a connection that ends is made again."""
        self._last = told = ""
        while True:
            connected = False
            headers = {"accept": "text/event-stream"} | ({"last-event-id": self._last} if self._last else {})
            try:
                async with self._remote.stream(
                    "GET", f"{self._url}/{channel}", path="/", headers=headers
                ) as response:
                    connected, told = True, ""
                    await self._events(response)
            except ObjectNotFound:
                return
            except Unavailable as error:
                # Silence ends a connection too, as does a dCache that restarts: one that is not made is news.
                if not connected and error.detail != told:
                    told = error.detail
                    log.warning("dcache.no_events", backend=self._remote.name, error=told)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _events(self, response: httpx.Response) -> None:
        """Take the events of one connection."""
        event: dict[str, str] = {}
        rest = ""
        async for text in response.aiter_text():
            *lines, rest = (rest + text).split("\n")
            if len(rest) > _LONGEST_LINE:
                raise self._remote.strange(response)
            for line in lines:
                field, _, value = line.rstrip("\r").partition(":")
                if field:
                    event[field] = value.removeprefix(" ")
                    continue
                if event.get("event") == "inotify":
                    self._take(event.get("data", ""))
                told = event.get("id", self._last)
                # It goes back in a header: what none can carry is not remembered.
                if told.isascii() and told.isprintable() and len(told) <= _LONGEST_ID:
                    self._last = told
                event = {}

    def _take(self, data: str) -> None:
        try:
            found: Any = json.loads(data)
            subscription, told = str(found["subscription"]), found["event"]
            mask, name = list(told.get("mask", [])), told.get("name")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return  # a look finds out what this was about
        directory = self._directories.get(subscription.rstrip("/").rpartition("/")[2])
        if "IN_Q_OVERFLOW" in mask:
            self._wake_all()
        elif "IN_IGNORED" in mask:
            self._directories.pop(subscription.rstrip("/").rpartition("/")[2], None)
        elif directory is not None and isinstance(name, str):
            event = self._changed.get(f"{directory.rstrip('/')}/{name}")
            if event is not None:
                event.set()

    def _wake_all(self) -> None:
        for event in self._changed.values():
            event.set()
