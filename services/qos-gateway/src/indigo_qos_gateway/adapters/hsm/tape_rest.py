"""WLCG Tape REST API, version 1: one client for dCache, StoRM Tape, EOS and CTA.

Files are staged on request; they go to tape, and from disk, when the storage finds it is time.

Source: WLCG Tape REST API reference, version 1 (stage, release, archiveinfo; discovery below ``/.well-known``).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
from indigo_contracts.qos import Locality

from indigo_qos_gateway.adapters.classes import TAPE_ONLY
from indigo_qos_gateway.adapters.hsm.backend import Seen, seen_at
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.application.ports import StageRequests
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.storage import Progress, StepState

_KEPT_ON_DISK = "P7D"
_LOCALITIES = {each.value: each for each in Locality}
_STATES = {
    "COMPLETED": StepState.DONE,
    "FAILED": StepState.FAILED,
    "CANCELLED": StepState.UNKNOWN,
}


class TapeRestManager:
    """Implements ``Manager``. ``url`` is the endpoint's address as discovery tells it.

    The server has no way to ask which requests there are, so ``requests`` keeps their names: a restarted gateway
    goes on with the same ones, and releases what it staged.
    """

    def __init__(self, name: str, remote: Remote, url: str, base: str, requests: StageRequests) -> None:
        self._name = name
        self._remote = remote
        self._url = url.rstrip("/")
        self._base = base.rstrip("/")
        self._requests = requests

    async def seen(self, path: str) -> Seen:
        response = await self._remote.send(
            "POST", f"{self._url}/archiveinfo", json={"paths": [self._base + path]}, path=path
        )
        found = self._remote.json(response)
        if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
            raise self._remote.strange(response)
        if "error" in found[0]:
            raise ObjectNotFound(path)
        return seen_at(_LOCALITIES.get(str(found[0].get("locality")), Locality.UNAVAILABLE))

    async def start(self, path: str, target: str, seen: Seen) -> str | None:
        if target == TAPE_ONLY:
            request = await self._requests.find(self._name, path)
            if request is not None:
                address = f"{self._url}/release/{quote(request, safe='')}"
                await self._remote.send("POST", address, json={"paths": [self._base + path]}, also={404})
                await self._requests.forget(self._name, path)
            return None
        if seen.locality is not Locality.TAPE:
            return None
        known = await self._requests.find(self._name, path)
        if known is not None and (await self.poll(path, known)).state is StepState.RUNNING:
            return known
        body = {"files": [{"path": self._base + path, "diskLifetime": _KEPT_ON_DISK}]}
        response = await self._remote.send("POST", f"{self._url}/stage", json=body)
        request = self._remote.document(response).get("requestId")
        if not isinstance(request, str) or not request:
            raise self._remote.strange(response)
        await self._requests.save(self._name, path, request)
        return request

    async def poll(self, path: str, request: str) -> Progress:
        address = f"{self._url}/stage/{quote(request, safe='')}"
        response = await self._remote.send("GET", address, also={404})
        if response.status_code == httpx.codes.NOT_FOUND:
            return Progress(StepState.UNKNOWN)
        files = self._remote.document(response).get("files")
        for each in files if isinstance(files, list) else []:
            if isinstance(each, dict) and each.get("path") == self._base + path:
                return _progress(each)
        raise self._remote.strange(response)

    async def cancel(self, path: str, request: str) -> None:
        address = f"{self._url}/stage/{quote(request, safe='')}/cancel"
        await self._remote.send("POST", address, json={"paths": [self._base + path]}, also={400, 404})
        await self._requests.forget(self._name, path)

    async def forget(self, path: str) -> None:
        await self._requests.forget(self._name, path)

    async def check(self) -> None:
        response = await self._remote.send("POST", f"{self._url}/archiveinfo", json={"paths": [self._base or "/"]})
        if not isinstance(self._remote.json(response), list):
            raise self._remote.strange(response)

    async def close(self) -> None:
        await self._remote.close()


def _progress(file: dict[str, Any]) -> Progress:
    # Servers give a state, or whether the file is on disk, or both.
    if file.get("onDisk") is True:
        return Progress(StepState.DONE)
    state = _STATES.get(str(file.get("state")), StepState.RUNNING)
    return Progress(state, str(file["error"]) if state is StepState.FAILED and file.get("error") else None)
