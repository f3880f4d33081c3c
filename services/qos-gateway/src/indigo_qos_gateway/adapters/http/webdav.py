"""Files behind a WebDAV door, such as those of dCache and StoRM.

Source: RFC 4918 (PROPFIND, MKCOL, MOVE with ``Overwrite``), RFC 9110 (GET with ranges, PUT, DELETE).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote, urlsplit

import httpx
from indigo_kernel.problems import Conflict
from lxml import etree

from indigo_qos_gateway.adapters.hsm.files import Entry
from indigo_qos_gateway.adapters.http.remote import Remote, natural, part_of
from indigo_qos_gateway.adapters.spool import Spool

_WANTED = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>'
    b"<resourcetype/><getcontentlength/><getlastmodified/></prop></propfind>"
)
_XML = {"content-type": "application/xml"}


class WebDav:
    """Implements ``hsm.files.Tree`` below ``url``."""

    def __init__(self, remote: Remote, url: str) -> None:
        self._remote = remote
        self._url = url.rstrip("/")

    async def stat(self, path: str) -> Entry | None:
        """What is at a path; ``None`` when nothing is."""
        response = await self._propfind(path, "0", missing=True)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        entries = self._entries(response)
        if len(entries) != 1:
            raise self._remote.strange(response)
        return entries[0][1]

    async def entries(self, path: str) -> list[Entry]:
        """What is in a collection. Raises ``ObjectNotFound``."""
        response = await self._propfind(path, "1")
        own = unquote(urlsplit(self._address(path)).path).rstrip("/")
        # What is elsewhere is no entry of this collection, whoever says so.
        return [entry for address, entry in self._entries(response) if address == f"{own}/{entry.name}"]

    async def read(self, path: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """Raises ``ObjectNotFound``."""
        headers = {"accept-encoding": "identity"}
        if start or stop is not None:
            headers["range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        async with self._remote.stream(
            "GET", self._address(path), headers=headers, path=path, also={416}
        ) as response:
            if response.is_success:
                async for chunk in part_of(self._remote.name, response, start, stop):
                    yield chunk

    async def put(self, path: str, spool: Spool) -> None:
        headers = {"content-length": str(spool.content.size)}
        await self._remote.send("PUT", self._address(path), headers=headers, content=spool.chunks())

    async def make(self, path: str) -> bool:
        """Make a collection; False when something is there. Raises ``Conflict`` when what it is in is not."""
        response = await self._remote.send("MKCOL", self._address(path), also={405, 409})
        if response.status_code == httpx.codes.CONFLICT:
            raise Conflict(f"What {path} is in is no container")
        return response.is_success

    async def delete(self, path: str) -> None:
        """Remove a file, or a collection with everything in it. Raises ``ObjectNotFound``."""
        await self._remote.send("DELETE", self._address(path), path=path)

    async def move(self, source: str, target: str) -> None:
        """Give a file another name, in the place of what has it."""
        headers = {"destination": self._address(target), "overwrite": "T"}
        await self._remote.send("MOVE", self._address(source), path=source, headers=headers)

    async def close(self) -> None:
        await self._remote.close()

    async def _propfind(self, path: str, depth: str, *, missing: bool = False) -> httpx.Response:
        response = await self._remote.send(
            "PROPFIND",
            self._address(path),
            path=path,
            headers=_XML | {"depth": depth},
            content=_WANTED,
            also={404} if missing else (),
        )
        if response.status_code not in {httpx.codes.MULTI_STATUS, httpx.codes.NOT_FOUND}:
            raise self._remote.strange(response)
        return response

    def _address(self, path: str) -> str:
        return self._url + quote(path, safe="/")

    def _entries(self, response: httpx.Response) -> list[tuple[str, Entry]]:
        """The path of each address in an answer without a slash at its end, and what is there."""
        try:
            root = etree.fromstring(
                response.content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
            )
            return [_entry(each) for each in root.iterfind("{DAV:}response")]
        except (etree.XMLSyntaxError, ValueError, TypeError, OverflowError):
            raise self._remote.strange(response) from None


def _entry(found: etree._Element) -> tuple[str, Entry]:
    """Raises ``ValueError``, ``TypeError`` or ``OverflowError`` for what lacks its parts, or has strange ones."""
    address = unquote(urlsplit(found.findtext("{DAV:}href") or "").path).rstrip("/")
    container = found.find(".//{DAV:}resourcetype/{DAV:}collection") is not None
    length = found.findtext(".//{DAV:}getcontentlength")
    if length is None and not container:
        raise ValueError("a file without a size")
    modified = parsedate_to_datetime(found.findtext(".//{DAV:}getlastmodified") or "")
    return address, Entry(
        name=address.rpartition("/")[2],
        container=container,
        size=0 if container else natural(length or "0"),
        modified=modified.astimezone(UTC),
    )
