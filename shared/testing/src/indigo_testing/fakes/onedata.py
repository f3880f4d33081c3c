"""A OneData space over a directory: files by identifier, requirements, distributions, and CDMI's move."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from indigo_testing.fakes.library import ranged

LOOKS = 6
_API = "/api/v3/oneprovider/"


class OneDataSpace:
    """An ASGI application: a provider with one space. Its token is ``secret``.

    A requirement is fulfilled after so many looks at it, unless ``impossible`` holds its expression.
    """

    def __init__(self, root: Path, space: str, space_id: str) -> None:
        self.root = root
        self.space = space
        self.ids: dict[str, str] = {space_id: ""}
        self.space_id = space_id
        self.attributes: dict[str, dict[str, str]] = {}
        self.requirements: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = {}
        self.impossible: set[str] = set()
        root.mkdir(parents=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = unquote(scope["raw_path"].decode())
        body = await request.body()
        if path == "/api/v3/onezone/tokens/infer_access_token_scope":
            answer: Response = JSONResponse(self._scope(request.headers["host"]))
        elif request.headers.get("x-auth-token") != "secret":
            answer = JSONResponse({"error": {"id": "unauthorized"}}, 401)
        elif path.startswith(f"/cdmi/{self.space}/"):
            source = json.loads(body)["move"].removeprefix(self.space + "/")
            answer = self._move(source, path.removeprefix(f"/cdmi/{self.space}/"))
        else:
            answer = self._api(request, path.removeprefix(_API), body)
        await answer(scope, receive, send)

    def _api(self, request: Request, path: str, body: bytes) -> Response:
        rooms = path.split("/")
        match request.method, *rooms:
            case "POST", "lookup-file-id", *names:
                return self._lookup("/".join(names[1:]))
            case "PUT", "data", identifier, "path", *names if identifier == self.space_id:
                return self._create("/".join(names), request.query_params["type"])
            case "POST", "qos_requirements":
                return self._require(json.loads(body))
            case method, "qos_requirements", identifier:
                return self._requirement(method, identifier)
            case method, "data", identifier, *rest:
                name = self.ids.get(identifier)
                if name is None or not (self.root / name).exists():
                    return _enoent()
                return self._data(method, identifier, self.root / name, "/".join(rest), request, body)
        return JSONResponse({"error": {"id": "notFound"}}, 404)

    def _scope(self, host: str) -> dict[str, Any]:
        """What OneZone says of a token: the space, and that this provider supports it."""
        return {
            "validUntil": None,
            "dataAccessScope": {
                "readonly": False,
                "spaces": {
                    self.space_id: {"name": self.space.partition("@")[0], "supports": {"pr1": {"readonly": False}}}
                },
                "providers": {"pr1": {"name": "ifca", "domain": host, "version": "21.02.8", "online": True}},
            },
        }

    def _id(self, name: str) -> str:
        for identifier, known in self.ids.items():
            if known == name:
                return identifier
        identifier = uuid4().hex
        self.ids[identifier] = name
        return identifier

    def _lookup(self, name: str) -> Response:
        return JSONResponse({"fileId": self._id(name)}) if (self.root / name).exists() else _enoent()

    def _create(self, name: str, kind: str) -> Response:
        path = self.root / name
        if path.exists():
            return _posix("eexist")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if kind == "DIR" else path.touch()
        return JSONResponse({"fileId": self._id(name)}, 201)

    def _data(
        self, method: str, identifier: str, path: Path, room: str, request: Request, body: bytes
    ) -> Response:
        match method, room:
            case "GET", "":
                return JSONResponse(self._attributes(path))
            case "DELETE", "":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                gone = self.ids.pop(identifier)
                self.ids = {k: v for k, v in self.ids.items() if not v.startswith(gone + "/")}
                return Response(status_code=204)
            case "GET", "children":
                children = [self._attributes(each) for each in sorted(path.iterdir())]
                return JSONResponse({"children": children, "isLast": True, "nextPageToken": None})
            case "GET", "content":
                return ranged(path.read_bytes(), request.headers.get("range"))
            case "PUT", "content":
                path.write_bytes(body)
                return Response(status_code=204)
            case "GET", "metadata/xattrs":
                return JSONResponse(self.attributes.get(identifier, {}))
            case "PUT", "metadata/xattrs":
                self.attributes.setdefault(identifier, {}).update(json.loads(body))
                return Response(status_code=204)
            case "GET", "qos/summary":
                own = {k: v["status"] for k, v in self.requirements.items() if v["fileId"] == identifier}
                status = "pending" if "pending" in own.values() else "fulfilled"
                return JSONResponse({"requirements": own, "status": status})
            case "GET", "distribution":
                return JSONResponse(self._distribution(identifier, path.stat().st_size))
        return JSONResponse({"error": {"id": "notFound"}}, 404)

    def _attributes(self, path: Path) -> dict[str, Any]:
        info = path.stat()
        name = str(path.relative_to(self.root)) if path != self.root else ""
        return {
            "fileId": self._id(name),
            "name": path.name,
            "type": "DIR" if path.is_dir() else "REG",
            "size": 0 if path.is_dir() else info.st_size,
            "mtime": int(info.st_mtime),
        }

    def _distribution(self, identifier: str, size: int) -> dict[str, Any]:
        wanted = [
            each["replicasNum"]
            for each in self.requirements.values()
            if each["fileId"] == identifier and each["status"] == "fulfilled"
        ]
        blocks = [[0, size]] if size else []
        storage = {"physicalSize": size, "blocks": blocks}
        return {
            "type": "REG",
            "distributionPerProvider": {
                f"p{number}": {
                    "success": True,
                    "virtualSize": size,
                    "distributionPerStorage": {f"s{number}": storage},
                    "locationsPerStorage": {},
                }
                for number in range(max([1, *wanted]))
            },
        }

    def _require(self, body: dict[str, Any]) -> Response:
        identifier = uuid4().hex
        self.requirements[identifier] = {"qosRequirementId": identifier, **body, "status": "pending"}
        return JSONResponse({"qosRequirementId": identifier}, 201)

    def _requirement(self, method: str, identifier: str) -> Response:
        found = self.requirements.get(identifier)
        if found is None:
            return JSONResponse({"error": {"id": "notFound"}}, 404)
        if method == "DELETE":
            del self.requirements[identifier]
            return Response(status_code=204)
        answer = JSONResponse(found)
        self.looks[identifier] = self.looks.get(identifier, 0) + 1
        if self.looks[identifier] >= LOOKS:
            found["status"] = "impossible" if found["expression"] in self.impossible else "fulfilled"
        return answer

    def _move(self, source: str, target: str) -> Response:
        identifier = self._id(source)
        for known, name in list(self.ids.items()):
            if name == target:
                del self.ids[known]
        (self.root / source).replace(self.root / target)
        self.ids[identifier] = target
        return Response(status_code=201)


def _enoent() -> Response:
    return _posix("enoent")


def _posix(errno: str) -> Response:
    error = {"id": "posix", "details": {"errno": errno}, "description": f"Operation failed: {errno}"}
    return JSONResponse({"error": error}, 400)
