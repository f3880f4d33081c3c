"""Files on disk and on tape, and a WebDAV door to them: what the fakes of tape systems share.

A tape system moves files by itself, when it finds it is time. Here that is after so many looks at one file with
nothing else happening to it: tests need no clock, and an object that is only read stays where it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response


@dataclass
class Flags:
    """Where a file's bytes are."""

    disk: bool = True
    tape: bool = False
    pinned: bool = False
    looks: int = 0
    attributes: dict[str, str] = field(default_factory=dict)


class Library:
    """The files below ``root``.

    ``moves`` is whether the system takes files to tape and from disk by itself, after so many ``looks`` at one.
    """

    def __init__(self, root: Path, *, moves: bool = True, looks: int = 8) -> None:
        self.root = root
        self.moves = moves
        self.looks = looks
        self.flags: dict[str, Flags] = {}
        self.door_recalls = 0
        root.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """The real file of a path of the system."""
        return self.root / name.strip("/")

    def at(self, name: str) -> Flags | None:
        """Where a file is; ``None`` when there is no file."""
        return self.flags.setdefault(name, Flags()) if self.path(name).is_file() else None

    def look(self, name: str) -> Flags | None:
        """The same for somebody who asks: the system uses the time to move it."""
        flags = self.at(name)
        if flags is not None and self.moves:
            flags.looks += 1
            if flags.looks >= self.looks and not flags.pinned:
                if not flags.tape:
                    flags.tape, flags.looks = True, 0
                elif flags.disk:
                    flags.disk = False
        return flags

    def locality(self, flags: Flags) -> str:
        """In the words of WLCG Tape REST."""
        return {(True, False): "DISK", (False, True): "TAPE", (True, True): "DISK_AND_TAPE"}.get(
            (flags.disk, flags.tape), "LOST"
        )

    async def door(self, request: Request) -> Response:
        """The WebDAV door: the methods gateways use, of RFC 4918."""
        name = "/" + unquote(request.scope["raw_path"].decode()).strip("/")
        path = self.path(name)
        match request.method:
            case "PROPFIND":
                if not path.exists():
                    return Response(status_code=404)
                return Response(
                    self._multistatus(name, request.headers["depth"]), 207, media_type="application/xml"
                )
            case "GET":
                return self._get(name, request)
            case "PUT":
                if not path.parent.is_dir():
                    return Response(status_code=409)
                path.write_bytes(await request.body())
                self.flags[name] = Flags()
                return Response(status_code=201)
            case "MKCOL":
                if path.exists():
                    return Response(status_code=405)
                if not path.parent.is_dir():
                    return Response(status_code=409)
                path.mkdir()
                return Response(status_code=201)
            case "DELETE":
                if not path.exists():
                    return Response(status_code=404)
                self._remove(name)
                return Response(status_code=204)
            case "MOVE":
                target = "/" + unquote(request.headers["destination"].split("/", 3)[3]).strip("/")
                if not path.is_file() or request.headers.get("overwrite", "T") != "T":
                    return Response(status_code=404 if not path.exists() else 412)
                path.replace(self.path(target))
                self.flags[target] = self.flags.pop(name, Flags())
                return Response(status_code=204)
        return Response(status_code=405)

    def _get(self, name: str, request: Request) -> Response:
        path = self.path(name)
        flags = self.at(name)
        if flags is None:
            return Response(status_code=404)
        if not flags.disk:
            # A door keeps the reader waiting until the file is recalled: nobody should come here.
            self.door_recalls += 1
            flags.disk = True
        flags.looks = 0
        return ranged(path.read_bytes(), request.headers.get("range"))

    def _remove(self, name: str) -> None:
        path = self.path(name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        for each in list(self.flags):
            if each == name or each.startswith(name + "/"):
                del self.flags[each]

    def _multistatus(self, name: str, depth: str) -> str:
        names = [name] if depth == "0" else [name, *self.children(name)]
        return (
            '<?xml version="1.0" encoding="utf-8"?><d:multistatus xmlns:d="DAV:">'
            + "".join(self._response(each) for each in names)
            + "</d:multistatus>"
        )

    def children(self, name: str) -> Iterator[str]:
        """The paths of what is in a directory."""
        path = self.path(name)
        if path.is_dir():
            for each in sorted(path.iterdir()):
                yield f"{name.rstrip('/')}/{each.name}"

    def _response(self, name: str) -> str:
        path = self.path(name)
        info = path.stat()
        kind = "<d:collection/>" if path.is_dir() else ""
        slash = "/" if path.is_dir() and name != "/" else ""
        size = "" if path.is_dir() else f"<d:getcontentlength>{info.st_size}</d:getcontentlength>"
        return (
            f"<d:response><d:href>{escape(quote(name) + slash)}</d:href><d:propstat><d:prop>"
            f"<d:resourcetype>{kind}</d:resourcetype>{size}"
            f"<d:getlastmodified>{formatdate(info.st_mtime, usegmt=True)}</d:getlastmodified>"
            "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        )


def ranged(data: bytes, wanted: str | None) -> Response:
    """The answer to a GET with the header ``range`` or without it."""
    if wanted is None:
        return Response(data)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    if int(first) >= len(data):
        return Response(status_code=416)
    part = data[int(first) : int(last) + 1 if last else None]
    return Response(part, 206, {"content-range": f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"})
