"""``indigo events``: the feeds of the five services as one stream of lines."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from indigo_contracts.envelope import TYPE_PREFIX
from rich.console import Console

from indigo_suite.layout import ROUTES

POLL_SECONDS = 0.5
PAGE = 200


class Feeds:
    """Reads every service's ``GET /events`` from where it was left."""

    def __init__(self, http: httpx.AsyncClient, front: str, token: str) -> None:
        self._http = http
        self._front = front
        self._headers = {"authorization": f"Bearer {token}"}
        self._after = dict.fromkeys(ROUTES, 0)

    async def new(self) -> list[dict[str, Any]]:
        """Events since the last call, in the order of their time."""
        pages = await asyncio.gather(*(self._of(service) for service in ROUTES))
        return sorted((event for page in pages for event in page), key=lambda event: (event["time"], event["id"]))

    async def _of(self, service: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            response = await self._http.get(
                f"{self._front}{ROUTES[service]}/events",
                params={"after": self._after[service], "limit": PAGE},
                headers=self._headers,
            )
            response.raise_for_status()
            page = response.json()
            found += page["items"]
            self._after[service] = page["next"]
            if len(page["items"]) < PAGE:
                return found


async def show(front: str, token: str, *, follow: bool, json_lines: bool) -> None:
    """Print the events; with ``follow`` go on until interrupted."""
    console = Console(soft_wrap=True)
    async with httpx.AsyncClient(timeout=10) as http:
        feeds = Feeds(http, front, token)
        while True:
            for event in await feeds.new():
                if json_lines:
                    print(json.dumps(event, ensure_ascii=False), flush=True)
                else:
                    console.print(line(event), highlight=False)
            if not follow:
                return
            await asyncio.sleep(POLL_SECONDS)


def line(event: dict[str, Any]) -> str:
    """One event for a reader: time, fact, subject."""
    fact = event["type"].removeprefix(TYPE_PREFIX).removesuffix(".v1")
    return f"[dim]{event['time'][11:23]}[/]  [bold]{fact:<34}[/] {event['subject']}"
