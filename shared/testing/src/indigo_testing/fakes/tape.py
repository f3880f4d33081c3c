"""WLCG Tape REST and StoRM's recall table over a ``Library``, each with its WebDAV door."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from indigo_testing.fakes.library import Library


class TapeRest:
    """An ASGI application: ``/api/v1`` is the tape API, the rest the door. A recall takes one look at it."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.fails_with: str | None = None
        self.requests: dict[str, dict[str, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = unquote(scope["raw_path"].decode()).rstrip("/")
        if path.startswith("/api/v1/"):
            answer = self._api(request.method, path.removeprefix("/api/v1/").split("/"), await request.body())
        else:
            answer = await self.library.door(request)
        await answer(scope, receive, send)

    def _api(self, method: str, rooms: list[str], raw: bytes) -> Response:
        body = json.loads(raw or b"null")
        match method, *rooms:
            case "POST", "archiveinfo":
                return JSONResponse([self._info(each) for each in body["paths"]])
            case "POST", "stage":
                return self._stage(body)
            case "GET", "stage", identifier if identifier in self.requests:
                return self._shown(identifier)
            case "POST", "stage", identifier, "cancel" if identifier in self.requests:
                return self._cancel(identifier, body["paths"])
            case "POST", "release", identifier if identifier in self.requests:
                for each in body["paths"]:
                    if (flags := self.library.at(each)) is not None:
                        flags.pinned, flags.disk = False, not flags.tape
                return Response(status_code=200)
        return _problem(404, "There is no such request")

    def _info(self, name: str) -> dict[str, Any]:
        flags = self.library.look(name)
        if flags is None:
            return {"path": name, "error": "No such file or directory"}
        return {"path": name, "locality": self.library.locality(flags)}

    def _stage(self, body: dict[str, Any]) -> Response:
        unknown = {key for each in body["files"] for key in each} - {"path", "diskLifetime", "targetedMetadata"}
        if unknown:
            return _problem(400, f"unknown keys: {sorted(unknown)}")
        identifier = str(uuid4())
        files = [{"path": each["path"], "state": "SUBMITTED"} for each in body["files"]]
        self.requests[identifier] = {"id": identifier, "createdAt": 1, "startedAt": 2, "files": files}
        return JSONResponse(
            {"requestId": identifier}, 201, headers={"location": f"https://tape.example.org/stage/{identifier}"}
        )

    def _shown(self, identifier: str) -> Response:
        found = self.requests[identifier]
        answer = JSONResponse(found)
        for each in found["files"]:
            if each["state"] != "SUBMITTED":
                continue
            flags = self.library.at(each["path"])
            if flags is None or self.fails_with is not None:
                each |= {"state": "FAILED", "error": self.fails_with or "No such file or directory"}
            else:
                flags.disk = flags.pinned = True
                each |= {"state": "COMPLETED", "startedAt": 2, "finishedAt": 3}
        return answer

    def _cancel(self, identifier: str, paths: list[str]) -> Response:
        files = {each["path"]: each for each in self.requests[identifier]["files"]}
        if not set(paths) <= set(files):
            return _problem(400, "a path is not in the request")
        for each in paths:
            if files[each]["state"] == "SUBMITTED":
                files[each]["state"] = "CANCELLED"
        return Response(status_code=200)


class Storm:
    """An ASGI application: StoRM's REST service below ``/rest``, everything else the door."""

    def __init__(self, library: Library, token: str) -> None:
        self.library = library
        self.token = token
        self.tasks: dict[str, dict[str, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = unquote(scope["raw_path"].decode())
        if not path.startswith("/rest/"):
            answer = await self.library.door(request)
        elif request.headers.get("token") != self.token:
            answer = PlainTextResponse("invalid token", 401)
        else:
            answer = self._rest(request, path.removeprefix("/rest"), (await request.body()).decode())
        await answer(scope, receive, send)

    def _rest(self, request: Request, path: str, body: str) -> Response:
        if path.startswith("/metadata"):
            return self._metadata("/" + path.removeprefix("/metadata").strip("/"))
        if request.method == "POST" and path == "/recalltable/task":
            return self._add(json.loads(body))
        group = path.removeprefix("/recalltable/task/")
        task = self.tasks.get(group)
        if task is None:
            return PlainTextResponse("not found", 404)
        if request.method == "PUT":
            codes = ("SUCCESS", "QUEUED", "IN_PROGRESS", "ERROR", "ABORTED", "UNDEFINED")
            task["status"] = codes[int(body.removeprefix("status="))]
            return Response(status_code=200)
        if request.query_params.get("requestToken") != task["requestToken"]["value"]:
            return PlainTextResponse("not found", 404)
        answer = JSONResponse(task)
        if task["status"] == "QUEUED":
            flags = self.library.at(task["fileName"])
            task["status"] = "ERROR" if flags is None else "SUCCESS"
            if flags is not None:
                flags.disk = flags.pinned = True
        return answer

    def _metadata(self, name: str) -> Response:
        path = self.library.path(name)
        if not path.exists():
            return PlainTextResponse("not found", 404)
        flags = None if path.is_dir() else self.library.look(name)
        queued = any(each["fileName"] == name and each["status"] == "QUEUED" for each in self.tasks.values())
        return JSONResponse(
            {
                "absolutePath": "/storage" + name,
                "type": "FOLDER" if flags is None else "FILE",
                "status": "ONLINE" if flags is None or flags.disk else "NEARLINE",
                "filesystem": {"root": "/storage", "name": "TEST-FS"},
                "attributes": {
                    "pinned": False,
                    "migrated": flags is not None and flags.tape,
                    "premigrated": False,
                    "checksum": None,
                    "TSMRecD": None,
                    "TSMRecR": None,
                    "TSMRecT": "task" if queued else None,
                },
                "lastModified": "2017-03-22T14:44:11Z",
                "children": [],
            }
        )

    def _add(self, body: dict[str, Any]) -> Response:
        group, token = str(uuid4()), f"FAKE-{uuid4()}"
        self.tasks[group] = {
            "groupTaskId": group,
            "taskId": str(uuid4()),
            "deferredRecallInstant": 1490200251000,
            "finalStateInstant": None,
            "inProgressInstant": None,
            "insertionInstant": 1490200251000,
            "retryAttempt": body["retryAttempts"],
            "requestToken": {"expiration": 1490221851000, "value": token},
            "requestType": "bol",
            "fileName": body["stfn"],
            "userID": body["userId"],
            "voName": body["voName"],
            "pinLifetime": body["pinLifetime"],
            "status": "QUEUED",
        }
        address = f"http://localhost:9998/recalltable/task/{group}?requestToken={token}"
        return Response(status_code=201, headers={"location": address})


def _problem(status: int, detail: str) -> Response:
    return JSONResponse(
        {"title": "Error", "detail": detail, "status": status, "type": "about:blank"},
        status,
        media_type="application/problem+json",
    )
