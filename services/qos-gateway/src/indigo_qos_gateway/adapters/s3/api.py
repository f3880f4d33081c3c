"""The part of S3 the gateway uses: objects, their storage classes, and restoring them from an archive.

Source: Amazon S3 API Reference (HeadObject, GetObject, PutObject, CopyObject, multipart uploads, RestoreObject,
ListObjectsV2). Buckets are in the path, which every implementation understands.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import httpx
from indigo_kernel.problems import Unavailable
from lxml import etree

from indigo_qos_gateway.adapters.http.credentials import secret
from indigo_qos_gateway.adapters.http.remote import Remote, natural
from indigo_qos_gateway.adapters.s3.signing import EMPTY, Keys, escaped, query, signed
from indigo_qos_gateway.adapters.spool import Spool
from indigo_qos_gateway.domain.errors import Busy, Impossible

STANDARD = "STANDARD"
SHA256 = "x-amz-meta-indigo-sha256"
CLASS = "x-amz-meta-indigo-class"

_METADATA = "x-amz-meta-"
_DESCRIBING = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    }
)

_MOST_AT_ONCE = 5 * 1024**3
"""Bytes one PutObject or CopyObject can take; above, the parts of a multipart upload do it."""

_XML = {"content-type": "application/xml"}


@dataclass(frozen=True, slots=True)
class Head:
    """What S3 says about one object. ``restore`` is the text of ``x-amz-restore``."""

    size: int
    modified: datetime
    etag: str
    storage_class: str
    restore: str | None
    sha256: str | None
    container_class: str | None
    described: Mapping[str, str] = field(default_factory=dict)
    """The headers that whoever stored it gave it."""

    @property
    def restoring(self) -> bool:
        return self.restore is not None and 'ongoing-request="true"' in self.restore

    @property
    def restored(self) -> bool:
        return self.restore is not None and 'ongoing-request="false"' in self.restore


@dataclass(frozen=True, slots=True)
class Listing:
    """One page: keys, common prefixes, and where the next page begins."""

    keys: tuple[str, ...]
    prefixes: tuple[str, ...]
    following: str | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a bucket is and the files with the keys to it."""

    endpoint: str
    name: str
    region: str
    access_key_file: Path
    secret_key_file: Path


class S3:
    """One bucket. ``part_bytes`` is how large the parts of large objects are."""

    def __init__(self, remote: Remote, bucket: Bucket, *, part_bytes: int = _MOST_AT_ONCE) -> None:
        self._remote = remote
        self._bucket = bucket
        self._part = part_bytes

    async def head(self, key: str) -> Head | None:
        """``None`` when there is no such object."""
        response = await self._send("HEAD", key, also={404})
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        headers = response.headers
        try:
            modified = parsedate_to_datetime(headers["last-modified"]).astimezone(UTC)
            size = natural(headers["content-length"])
        except (KeyError, ValueError, OverflowError):
            raise self._remote.strange(response) from None
        return Head(
            size=size,
            modified=modified,
            etag=headers.get("etag", ""),
            storage_class=headers.get("x-amz-storage-class") or STANDARD,
            restore=headers.get("x-amz-restore"),
            sha256=headers.get(SHA256),
            container_class=headers.get(CLASS),
            described={
                name: value
                for name, value in headers.items()
                if (name.startswith(_METADATA) or name in _DESCRIBING) and value.isascii()
            },
        )

    @asynccontextmanager
    async def get(self, key: str, start: int, stop: int | None, path: str) -> AsyncIterator[httpx.Response]:
        """Bytes; 416 behind the end, 403 with ``InvalidObjectState`` when it is in an archive.

        Raises ``ObjectNotFound``.
        """
        headers = {"accept-encoding": "identity"}
        if start or stop is not None:
            headers["range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        url = self._url(key)
        signature = self._signed("GET", url, headers, EMPTY)
        async with self._remote.stream("GET", url, headers=signature, path=path, also={403, 416}) as response:
            yield response

    async def put(self, key: str, spool: Spool, storage_class: str) -> None:
        """Store an object with its SHA-256; whoever reads meanwhile gets the old one."""
        headers = {SHA256: spool.content.sha256} | _storage(storage_class)
        if spool.content.size > self._part:
            await self._put_parts(key, spool, headers)
            return
        headers["content-length"] = str(spool.content.size)
        await self._send("PUT", key, headers=headers, content=spool.chunks(), payload=spool.content.sha256)

    async def put_empty(self, key: str, metadata: Mapping[str, str]) -> None:
        """Store an object without bytes."""
        await self._send("PUT", key, headers={**metadata, "content-length": "0"})

    async def copy_onto_itself(
        self, key: str, head: Head, storage_class: str, sha256: str | None, path: str
    ) -> None:
        """Rewrite an object at another class. Its metadata stay; ``sha256`` is added when it is not among them.

        Raises ``Busy`` when it is not the object of ``head`` any more, ``Impossible`` for an unknown class.
        """
        headers = _storage(storage_class, always=True)
        if head.sha256 is None and sha256 is not None:
            headers |= {**head.described, "x-amz-metadata-directive": "REPLACE", SHA256: sha256}
        else:
            headers["x-amz-metadata-directive"] = "COPY"
        source = self._source(key, head)
        if head.size > self._part:
            known = head.sha256 or sha256
            checksum = {SHA256: known} if known else {}
            await self._copy_parts(key, head, source, {**head.described, **_storage(storage_class), **checksum})
            return
        response = await self._send("PUT", key, headers=headers | source, also={400, 404, 409, 412})
        self._check_copied(response, path)

    async def restore(self, key: str, days: int) -> None:
        """Ask for a readable copy of an archived object; asking again while it comes is no error.

        Raises ``Impossible`` where restoring is not implemented.
        """
        body = (
            '<RestoreRequest xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Days>{days}</Days><GlacierJobParameters><Tier>Standard</Tier></GlacierJobParameters>"
            "</RestoreRequest>"
        ).encode()
        response = await self._send(
            "POST", key, {"restore": ""}, headers=_XML, content=body, payload=_sha256(body), also={409, 501}
        )
        if response.status_code == httpx.codes.NOT_IMPLEMENTED:
            raise Impossible(f"{self._remote.name} does not implement restoring")
        if response.status_code == httpx.codes.CONFLICT and _code(response) != "RestoreAlreadyInProgress":
            raise self._remote.strange(response)

    async def delete(self, key: str) -> None:
        await self._send("DELETE", key)

    async def listing(
        self, prefix: str, *, delimiter: str = "", following: str | None = None, after: str = "", most: int = 1000
    ) -> Listing:
        """Keys that begin with ``prefix``, and are behind ``after``.

        Raises ``Unavailable`` also when the bucket is missing.
        """
        parameters = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "max-keys": str(most)}
        if delimiter:
            parameters["delimiter"] = delimiter
        if after:
            parameters["start-after"] = after
        if following:
            parameters["continuation-token"] = following
        response = await self._send("GET", "", parameters)
        root = self._xml(response)
        truncated = root.findtext("{*}IsTruncated") == "true"
        # AWS writes a space as a plus sign, others escape it; all of them escape the plus sign itself.
        return Listing(
            keys=tuple(unquote_plus(each.text or "") for each in root.iterfind("{*}Contents/{*}Key")),
            prefixes=tuple(unquote_plus(each.text or "") for each in root.iterfind("{*}CommonPrefixes/{*}Prefix")),
            following=root.findtext("{*}NextContinuationToken") if truncated else None,
        )

    async def admin(self, resource: str, parameters: Mapping[str, str]) -> Any:
        """A JSON document of Ceph's admin API (``/admin/<resource>``), with the same keys."""
        url = f"{self._bucket.endpoint.rstrip('/')}/admin/{resource}?{query({**parameters, 'format': 'json'})}"
        response = await self._remote.send("GET", url, headers=self._signed("GET", url, {}, EMPTY))
        return self._remote.json(response)

    async def close(self) -> None:
        await self._remote.close()

    async def _put_parts(self, key: str, spool: Spool, headers: dict[str, str]) -> None:
        async with self._upload(key, headers) as upload:
            for start in range(0, spool.content.size, self._part):
                stop = min(start + self._part, spool.content.size)
                digest = hashlib.sha256()
                async for chunk in spool.chunks(start, stop):
                    digest.update(chunk)
                response = await self._send(
                    "PUT",
                    key,
                    upload.next_part(),
                    headers={"content-length": str(stop - start)},
                    content=spool.chunks(start, stop),
                    payload=digest.hexdigest(),
                )
                upload.etags.append(response.headers.get("etag", ""))

    async def _copy_parts(self, key: str, head: Head, source: dict[str, str], headers: dict[str, str]) -> None:
        async with self._upload(key, headers) as upload:
            for start in range(0, head.size, self._part):
                last = min(start + self._part, head.size) - 1
                part = source | {"x-amz-copy-source-range": f"bytes={start}-{last}"}
                response = await self._send("PUT", key, upload.next_part(), headers=part, also={412})
                self._check_copied(response, key)
                upload.etags.append(self._xml(response).findtext("{*}ETag") or "")

    @asynccontextmanager
    async def _upload(self, key: str, headers: dict[str, str]) -> AsyncIterator[_Upload]:
        """A multipart upload that becomes the object at the end of the block, or leaves nothing."""
        begun = await self._send("POST", key, {"uploads": ""}, headers=headers)
        identifier = self._xml(begun).findtext("{*}UploadId")
        if not identifier:
            raise self._remote.strange(begun)
        upload = _Upload(identifier, [])
        try:
            yield upload
            body = upload.manifest()
            response = await self._send(
                "POST", key, {"uploadId": identifier}, headers=_XML, content=body, payload=_sha256(body)
            )
            if etree.QName(self._xml(response)).localname == "Error":
                raise self._remote.strange(response)
        except BaseException:
            await self._send("DELETE", key, {"uploadId": identifier}, also={404})
            raise

    def _source(self, key: str, head: Head) -> dict[str, str]:
        source = {"x-amz-copy-source": escaped(f"/{self._bucket.name}/{key}", safe="/")}
        return source | ({"x-amz-copy-source-if-match": head.etag} if head.etag else {})

    def _check_copied(self, response: httpx.Response, path: str) -> None:
        code = _code(response)
        if response.status_code in {404, 412}:
            raise Busy(path)
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise Impossible(f"{self._remote.name} refuses the change of {path}: {code or 'bad request'}")
        # A copy that takes long is a success from its first byte on, and tells its errors in the body.
        if not response.is_success or code is not None:
            raise Unavailable(f"{self._remote.name} did not copy {path}: {code or response.status_code}")

    async def _send(
        self,
        method: str,
        key: str,
        parameters: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        payload: str = EMPTY,
        content: bytes | AsyncIterator[bytes] | None = None,
        also: Collection[int] = (),
    ) -> httpx.Response:
        url = self._url(key, parameters)
        return await self._remote.send(
            method, url, headers=self._signed(method, url, headers or {}, payload), content=content, also=also
        )

    def _url(self, key: str, parameters: Mapping[str, str] | None = None) -> str:
        path = escaped(f"/{self._bucket.name}/{key}" if key else f"/{self._bucket.name}", safe="/")
        url = self._bucket.endpoint.rstrip("/") + path
        return f"{url}?{query(parameters)}" if parameters else url

    def _signed(self, method: str, url: str, headers: Mapping[str, str], payload: str) -> dict[str, str]:
        keys = Keys(secret(self._bucket.access_key_file), secret(self._bucket.secret_key_file))
        return signed(keys, self._bucket.region, datetime.now(UTC), method, url, headers, payload)

    def _xml(self, response: httpx.Response) -> etree._Element:
        try:
            return _parsed(response.content)
        except etree.XMLSyntaxError:
            raise self._remote.strange(response) from None


@dataclass(frozen=True, slots=True)
class _Upload:
    identifier: str
    etags: list[str]

    def next_part(self) -> dict[str, str]:
        return {"uploadId": self.identifier, "partNumber": str(len(self.etags) + 1)}

    def manifest(self) -> bytes:
        root = etree.Element("CompleteMultipartUpload", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
        for number, etag in enumerate(self.etags, start=1):
            part = etree.SubElement(root, "Part")
            etree.SubElement(part, "PartNumber").text = str(number)
            etree.SubElement(part, "ETag").text = etag
        return etree.tostring(root)


def _storage(name: str, *, always: bool = False) -> dict[str, str]:
    return {"x-amz-storage-class": name} if always or name != STANDARD else {}


def _parsed(body: bytes) -> etree._Element:
    return etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def _code(response: httpx.Response) -> str | None:
    """The code of an error in the body; ``None`` when there is none."""
    try:
        root = _parsed(response.content)
    except etree.XMLSyntaxError:
        return None
    return root.findtext("{*}Code") if etree.QName(root).localname == "Error" else None


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
