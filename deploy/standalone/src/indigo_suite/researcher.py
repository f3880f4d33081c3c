"""What a researcher does with the suite, over HTTP: write a plan, publish it, deposit, watch the ledger.

The demonstration and the tests of the life cycle both go through here, so that what is shown is what is tested.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from indigo_kernel.ids import new_id

MADMP = "application/vnd.org.rd-alliance.dmp-common.v1.2+json"
CHUNK = 1024 * 1024


class Refused(Exception):
    """A service answered with an error; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Plan:
    plan_id: str
    etag: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the services are."""

    dmp: str
    repository: str
    pid: str
    integrity: str
    qos: str


class Researcher:
    """One person with a token."""

    def __init__(self, http: httpx.AsyncClient, at: Endpoints, token: str) -> None:
        self._http = http
        self.at = at
        self._headers = {"authorization": f"Bearer {token}"}

    async def call(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Send a request; an error answer is raised as ``Refused`` with its detail."""
        headers = self._headers | options.pop("headers", {})
        response = await self._http.request(method, url, headers=headers, **options)
        if response.is_error:
            raise Refused(f"{method} {url} answered {response.status_code}: {response.text[:2000]}")
        return response

    async def get(self, url: str, **params: str) -> Any:
        return (await self.call("GET", url, params=params)).json()

    async def write_plan(self, document: Path) -> Plan:
        """Create a plan from a maDMP document."""
        response = await self.call(
            "POST",
            f"{self.at.dmp}/dmps",
            content=await asyncio.to_thread(document.read_bytes),
            headers={"content-type": MADMP},
        )
        return Plan(response.json()["id"], response.headers["etag"])

    async def publish_plan(self, plan: Plan) -> Plan:
        response = await self.call(
            "POST", f"{self.at.dmp}/plans/{plan.plan_id}/publish", headers={"if-match": plan.etag}
        )
        return Plan(plan.plan_id, response.headers["etag"])

    async def records(self, plan: Plan, output: str | None = None) -> list[dict[str, Any]]:
        """Records and reserved drafts of a plan."""
        params = {"plan": plan.plan_id} | ({"output": output} if output else {})
        answer = await self.get(f"{self.at.repository}/api/records", **params)
        found: list[dict[str, Any]] = answer["hits"]["hits"]
        return found

    async def deposit(self, record_id: str, folder: Path) -> dict[str, Any]:
        """Upload every file below ``folder`` to a reserved draft and publish it."""
        draft = f"{self.at.repository}/api/records/{record_id}/draft"
        for path in await asyncio.to_thread(_files_below, folder):
            key = path.relative_to(folder).as_posix()
            await self.call("POST", f"{draft}/files", json=[{"key": key}])
            await self.call(
                "PUT",
                f"{draft}/files/{key}/content",
                content=_chunks(path),
                headers={"content-type": mimetypes.guess_type(key)[0] or "application/octet-stream"},
            )
            await self.call("POST", f"{draft}/files/{key}/commit")
        published: dict[str, Any] = (await self.call("POST", f"{draft}/actions/publish")).json()
        return published

    async def promises(self, plan: Plan) -> list[dict[str, Any]]:
        """The ledger."""
        found: list[dict[str, Any]] = (await self.get(f"{self.at.dmp}/plans/{plan.plan_id}/promises"))["items"]
        return found

    async def check_fixity(self, record_id: str) -> dict[str, Any]:
        """Ask for every file of a record to be read back from storage now."""
        response = await self.call(
            "POST",
            f"{self.at.integrity}/api/fixity",
            json={"record_id": record_id},
            headers={"idempotency-key": f'"{new_id()}"'},
        )
        run: dict[str, Any] = response.json()
        return run


def _files_below(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file())


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


def names_of(record: dict[str, Any]) -> tuple[str, str]:
    """Handle and DOI of a record."""
    return record["pids"]["handle"]["identifier"], record["pids"]["doi"]["identifier"]


def plan_outputs(document: Path) -> list[str]:
    """The keys of the outputs a plan document promises."""
    return [dataset["indigo"]["key"] for dataset in json.loads(document.read_text())["dmp"]["dataset"]]
