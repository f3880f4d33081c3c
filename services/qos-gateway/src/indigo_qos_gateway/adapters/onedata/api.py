"""One space of OneData through the REST API of a provider: files, requirements of quality, and where replicas are.

Source: OneProvider REST API (``/api/v3/oneprovider``: data, qos_requirements, distribution); renaming is CDMI's
``move``, as OneData's own Python client does it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.http.remote import Remote, natural
from indigo_qos_gateway.adapters.spool import Spool
from indigo_qos_gateway.domain.errors import ObjectNotFound

SHA256 = "indigo.sha256"
CLASS = "indigo.class"
_LOOKS = 10
"""How often a path is looked up whose file is gone every time: others may write to it all the while."""

_MOST_KNOWN = 10_000

_ATTRIBUTES = {"attributes": ["fileId", "name", "type", "size", "mtime"]}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a directory."""

    file_id: str
    name: str
    container: bool
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Requirement:
    """What was asked of a file's replicas. ``status`` is pending, fulfilled or impossible."""

    identifier: str
    file_id: str
    expression: str
    replicas: int
    status: str


class OneData:
    """A space. ``url`` is the provider's; ``space`` its name as paths have it, ``space_id`` its identifier."""

    def __init__(self, remote: Remote, url: str, space: str, space_id: str) -> None:
        self._remote = remote
        self._url = url.rstrip("/")
        self._api = self._url + "/api/v3/oneprovider"
        self._space = space
        self._space_id = space_id
        self._known: dict[str, Requirement] = {}
        """Requirements that were read: all of one but its status stays what it is."""

    async def find(self, path: str) -> str | None:
        """The identifier of what is at a path; ``None`` when nothing is."""
        address = f"{self._api}/lookup-file-id/{self._at(path)}"
        response = await self._remote.send("POST", address, also={400, 404})
        if not response.is_success:
            if response.status_code == httpx.codes.NOT_FOUND or _missing(response):
                return None
            raise self._remote.strange(response)
        return self._text(response, "fileId")

    async def entry(self, path: str) -> Entry | None:
        """What is at a path; ``None`` when nothing is."""
        for _ in range(_LOOKS):
            if (file_id := await self.find(path)) is None:
                return None
            response = await self._remote.send(
                "GET", f"{self._api}/data/{file_id}", json=_ATTRIBUTES, also={400, 404}
            )
            if response.is_success:
                return self._entry(response, self._remote.document(response))
            if response.status_code != httpx.codes.NOT_FOUND and not _missing(response):
                raise self._remote.strange(response)
            # Removed or replaced since it was looked up: look again.
        raise Unavailable(f"{self._remote.name} names a file for {path} that it does not have")

    async def children(self, file_id: str, path: str) -> list[Entry]:
        found: list[Entry] = []
        token = ""
        told: set[str] = set()
        while True:
            query = f"limit=1000{'&token=' + quote(token, safe='') if token else ''}"
            address = f"{self._api}/data/{file_id}/children?{query}"
            response = await self._remote.send("GET", address, path=path, json=_ATTRIBUTES)
            page = self._remote.document(response)
            children = page.get("children")
            if not isinstance(children, list):
                raise self._remote.strange(response)
            found += [self._entry(response, each) for each in children]
            following = page.get("nextPageToken")
            if page.get("isLast", True) or not isinstance(following, str) or following == token:
                return found
            if following in told:
                raise self._remote.strange(response)  # it would be followed for ever
            told.add(following)
            token = following

    async def create(self, path: str, kind: str) -> str | None:
        """Make a file (``REG``) or a directory (``DIR``) and what it is in; ``None`` when the name is taken."""
        address = f"{self._api}/data/{self._space_id}/path/{quote(path.strip('/'), safe='/')}"
        response = await self._remote.send("PUT", f"{address}?type={kind}&create_parents=true", also={400, 409})
        return self._text(response, "fileId") if response.is_success else None

    async def put(self, file_id: str, spool: Spool) -> None:
        headers = {"content-type": "application/octet-stream", "content-length": str(spool.content.size)}
        address = f"{self._api}/data/{file_id}/content"
        await self._remote.send("PUT", address, headers=headers, content=spool.chunks())

    @asynccontextmanager
    async def get(self, file_id: str, path: str, start: int, stop: int | None) -> AsyncIterator[httpx.Response]:
        """The bytes of a file; an answer that is no success means that it is not there any more."""
        headers = {"accept-encoding": "identity"}
        if start or stop is not None:
            headers["range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        address = f"{self._api}/data/{file_id}/content"
        async with self._remote.stream("GET", address, headers=headers, path=path, also={400}) as response:
            if not response.is_success and not _missing(response):
                raise self._remote.strange(response)
            yield response

    async def move(self, source: str, target: str) -> None:
        """Give a file another name, in the place of the file that has it."""
        headers = {"x-cdmi-specification-version": "1.1.1", "content-type": "application/cdmi-object"}
        body = {"move": f"{self._space}{source}"}
        await self._remote.send("PUT", f"{self._url}/cdmi/{self._at(target)}", headers=headers, json=body)

    async def delete(self, file_id: str, path: str) -> None:
        await self._remote.send("DELETE", f"{self._api}/data/{file_id}", path=path)

    async def attributes(self, file_id: str) -> dict[str, Any]:
        """The extended attributes of a file."""
        return self._remote.document(
            await self._remote.send("GET", f"{self._api}/data/{file_id}/metadata/xattrs", path=file_id)
        )

    async def set_attributes(self, file_id: str, values: Mapping[str, str]) -> None:
        await self._remote.send("PUT", f"{self._api}/data/{file_id}/metadata/xattrs", json=dict(values))

    async def requirements(self, file_id: str) -> list[Requirement]:
        """Those that hold for a file, its own and inherited ones."""
        response = await self._remote.send("GET", f"{self._api}/data/{file_id}/qos/summary", path=file_id)
        told = self._remote.document(response).get("requirements")
        if not isinstance(told, dict):
            raise self._remote.strange(response)
        found = []
        for identifier, status in told.items():
            known = self._known.get(identifier) or await self.requirement(identifier)
            if known is not None:
                found.append(replace(known, status=str(status)))
        return found

    async def requirement(self, identifier: str) -> Requirement | None:
        address = f"{self._api}/qos_requirements/{quote(identifier, safe='')}"
        response = await self._remote.send("GET", address, also={404})
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        found = self._remote.document(response)
        replicas = found.get("replicasNum")
        if not isinstance(replicas, int):
            raise self._remote.strange(response)
        self._known[identifier] = requirement = Requirement(
            identifier,
            self._text(response, "fileId"),
            self._text(response, "expression"),
            replicas,
            self._text(response, "status"),
        )
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return requirement

    async def require(self, file_id: str, expression: str, replicas: int) -> str:
        body = {"fileId": file_id, "expression": expression, "replicasNum": replicas}
        response = await self._remote.send("POST", f"{self._api}/qos_requirements", json=body)
        return self._text(response, "qosRequirementId")

    async def withdraw(self, identifier: str) -> None:
        """Remove a requirement; it need not be there."""
        address = f"{self._api}/qos_requirements/{quote(identifier, safe='')}"
        await self._remote.send("DELETE", address, also={404})

    async def replicas(self, file_id: str, size: int) -> int:
        """How many providers hold all bytes of a file."""
        response = await self._remote.send("GET", f"{self._api}/data/{file_id}/distribution", path=file_id)
        providers = self._remote.document(response).get("distributionPerProvider")
        if not isinstance(providers, dict):
            raise self._remote.strange(response)
        return sum(1 for each in providers.values() if _held(each) >= size)

    async def close(self) -> None:
        await self._remote.close()

    def _at(self, path: str) -> str:
        return quote(f"{self._space}{path}".rstrip("/"), safe="/")

    def _text(self, response: httpx.Response, key: str) -> str:
        found = self._remote.document(response).get(key)
        if not isinstance(found, str) or not found:
            raise self._remote.strange(response)
        return found

    def _entry(self, response: httpx.Response, found: Any) -> Entry:
        try:
            return Entry(
                file_id=str(found["fileId"]),
                name=_text(found["name"]),
                container=found["type"] == "DIR",
                size=natural(str(found["size"] or 0)),
                modified=datetime.fromtimestamp(int(found["mtime"]), UTC),
            )
        except (KeyError, TypeError, ValueError, OverflowError, OSError):  # OSError: a time nobody can tell
            raise self._remote.strange(response) from None


def _text(found: Any) -> str:
    """A name. Raises ``ValueError`` for one with half a character, which nobody can write down."""
    text = str(found)
    text.encode()
    return text


def _missing(response: httpx.Response) -> bool:
    """Whether an answer is OneData's error for a file that is not there."""
    try:
        error = response.json()["error"]
        return bool(error["id"] == "posix" and error["details"]["errno"] == "enoent")
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _held(provider: Any) -> int:
    """Bytes of a file that a provider has, from its distribution; 0 for what nobody can read."""
    storages = provider.get("distributionPerStorage") if isinstance(provider, dict) else None
    if not isinstance(storages, dict):
        return 0
    blocks = [each.get("blocks") for each in storages.values() if isinstance(each, dict)]
    return sum(
        block[1]
        for each in blocks
        if isinstance(each, list)
        for block in each
        if isinstance(block, list) and len(block) == 2 and isinstance(block[1], int)
    )


def found(entry: Entry | None, path: str) -> Entry:
    """The entry. Raises ``ObjectNotFound`` when there is none."""
    if entry is None:
        raise ObjectNotFound(path)
    return entry
