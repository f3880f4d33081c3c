"""dCache's frontend and WebDAV door over a ``Library``: namespace and bulk requests."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from indigo_testing.fakes.dcache_events import Channels
from indigo_testing.fakes.library import Library

_LOCALITY = {"DISK": "ONLINE", "TAPE": "NEARLINE", "DISK_AND_TAPE": "ONLINE_AND_NEARLINE", "LOST": "LOST"}
_API = "/api/v1/"


class DCache:
    """An ASGI application: ``/api/v1`` is the frontend, everything else the door.

    A change of quality takes one look at its bulk request, to the last page of so many targets; ``lies`` makes it
    a success that did nothing, and ``held`` makes it wait for ``let_go``.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.lies = self.held = False
        self.channels = Channels()
        self.fails_with: str | None = None
        self.page = 10_000
        self.requests: dict[str, dict[str, Any]] = {}
        self.qos: dict[str, str] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.policy_of: dict[str, tuple[str, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = unquote(scope["raw_path"].decode())
        answer = await (
            self._api(path[len(_API) :], request) if path.startswith(_API) else self.library.door(request)
        )
        await answer(scope, receive, send)

    async def _api(self, path: str, request: Request) -> Response:
        room, _, rest = path.partition("/")
        if room == "events":
            return await self.channels.answer(rest.removeprefix("channels").strip("/"), request)
        body = json.loads(await request.body() or b"null")
        match request.method, room:
            case "GET", "namespace":
                return self._namespace("/" + rest.strip("/"), request.query_params)
            case "POST", "namespace":
                return self._act("/" + rest.strip("/"), body)
            case "GET", "qos-policy":
                return self._policy(rest)
            case "POST", "bulk-requests":
                return self._submit(body, request)
            case "GET", "bulk-requests":
                return self._bulk(rest, int(request.query_params.get("offset", "0")))
            case "PATCH", "bulk-requests":
                return self._cancel(rest, body)
        return _error(404, "Not Found")

    def _namespace(self, name: str, query: Any) -> Response:
        path = self.library.path(name)
        if not path.exists():
            return _error(404, "Not Found")
        found = self._entry(name, query)
        if query.get("children") == "true" and path.is_dir():
            found["children"] = [
                {**self._entry(each, query), "fileName": each.rpartition("/")[2]}
                for each in self.library.children(name)
            ]
        return JSONResponse(found)

    def _entry(self, name: str, query: Any) -> dict[str, Any]:
        path = self.library.path(name)
        info = path.stat()
        times = {"mtime": int(info.st_mtime * 1000), "creationTime": int(info.st_ctime * 1000)}
        identity = {"pnfsId": f"{info.st_ino:036X}", "nlink": 1, **times}
        if path.is_dir():
            return identity | {
                "fileMimeType": "application/vnd.dcache.folder",
                "fileType": "DIR",
                "currentQos": "disk",
                "size": 512,
            }
        flags = self.library.look(name)
        assert flags is not None
        locality = self.library.locality(flags)
        found = identity | {
            "fileMimeType": "application/octet-stream",
            "fileType": "REGULAR",
            "size": info.st_size,
        }
        if query.get("locality") == "true":
            found["fileLocality"] = _LOCALITY[locality]
        if query.get("qos") == "true":
            usual = {"DISK": "disk", "TAPE": "tape", "DISK_AND_TAPE": "disk+tape"}.get(locality, "disk")
            found["currentQos"] = self.qos.get(name, usual)
        if query.get("xattr") == "true":
            found["extendedAttributes"] = dict(flags.attributes)
        return found

    def _act(self, name: str, body: dict[str, Any]) -> Response:
        flags = self.library.at(name)
        if flags is None:
            return _error(404, "Not Found")
        if body.get("action") != "set-xattr":
            return _error(400, f"Unknown action: {body.get('action')}")
        flags.attributes |= body["attributes"]
        return JSONResponse({"status": "success"}, 201)

    def _submit(self, body: dict[str, Any], request: Request) -> Response:
        identifier = str(uuid4())
        self.requests[identifier] = {
            "nextId": -1,
            "uid": identifier,
            "arrivedAt": 1,
            "startedAt": 2,
            "lastModified": 3,
            "status": "QUEUED",
            "targetPrefix": "/",
            "targets": [
                {"target": each, "state": "CREATED", "submittedAt": 1, "id": number}
                for number, each in enumerate(body["target"], start=1)
            ],
            "activity": body["activity"],
            "arguments": body["arguments"],
        }
        address = str(request.url.replace(path=f"{_API}bulk-requests/{identifier}", query=""))
        return Response(status_code=201, headers={"request-url": address})

    def _bulk(self, identifier: str, offset: int) -> Response:
        found = self.requests.get(identifier)
        if found is None:
            return _error(404, "Not Found")
        shown = json.loads(json.dumps({k: v for k, v in found.items() if k not in {"activity", "arguments"}}))
        following = [each for each in shown["targets"] if each["id"] >= offset]
        shown["targets"] = following[: self.page]
        if len(following) > self.page:
            shown["nextId"] = following[self.page]["id"]
        elif found["status"] == "QUEUED" and not self.held:
            self._complete(found)
        return JSONResponse(shown)

    def let_go(self) -> None:
        """Carry out what was held, and tell who listens."""
        self.held = False
        for found in self.requests.values():
            if found["status"] == "QUEUED":
                self._complete(found)

    def _complete(self, found: dict[str, Any]) -> None:
        found["status"] = "COMPLETED"
        for each in found["targets"]:
            self._finish(found, each)

    def _finish(self, request: dict[str, Any], target: dict[str, Any]) -> None:
        target |= {"state": "COMPLETED", "startedAt": 2, "finishedAt": 3}
        flags = self.library.at(target["target"])
        if flags is None:
            target |= {
                "state": "FAILED",
                "errorType": "FileNotFoundCacheException",
                "errorMessage": "No such file",
            }
        elif self.fails_with is not None:
            target |= {"state": "FAILED", "errorType": "CacheException", "errorMessage": self.fails_with}
        elif request["activity"] == "PIN":
            flags.disk = flags.pinned = True
        elif not self.lies:
            arguments = request["arguments"]
            self.policy_of.pop(target["target"], None)
            if "qosPolicy" in arguments:
                self.set_policy(target["target"], arguments["qosPolicy"], arguments.get("qosState", 0))
            else:
                self._change(target["target"], arguments["targetQos"])

    def set_policy(self, name: str, policy: str, state: int) -> None:
        """Bring a file to a state of a policy, as dCache does when the one before is over."""
        media = {each["storageMedium"] for each in self.policies[policy]["states"][state]["media"]}
        self.policy_of[name] = policy, state
        self._change(name, "disk" if media == {"DISK"} else "tape" if media == {"HSM"} else "disk+tape")

    def _policy(self, rest: str) -> Response:
        if rest.startswith("path/"):
            name = "/" + rest.removeprefix("path/").strip("/")
            if not self.library.path(name).exists():
                return _error(400, "No such file or directory")
            policy, state = self.policy_of.get(name, (None, None))
            return JSONResponse({"path": name, "policyName": policy, "policyState": state})
        return JSONResponse(self.policies[rest]) if rest in self.policies else _error(404, "Not Found")

    def _change(self, name: str, quality: str) -> None:
        flags = self.library.at(name)
        assert flags is not None
        self.qos.pop(name, None)
        flags.tape = flags.tape or quality in {"tape", "disk+tape"}
        flags.disk = quality != "tape"
        self.channels.tell(name, "IN_ATTRIB")

    def _cancel(self, identifier: str, body: dict[str, Any]) -> Response:
        found = self.requests.get(identifier)
        if found is None:
            return _error(404, "Not Found")
        if body.get("action") != "cancel":
            return _error(400, f"{body.get('action')} not supported.")
        if found["status"] != "COMPLETED":
            found["status"] = "CANCELLED"
            for each in found["targets"]:
                if each["state"] != "COMPLETED":
                    each["state"] = "CANCELLED"
        return Response(status_code=200)


def _error(status: int, message: str) -> Response:
    return JSONResponse({"errors": [{"message": message, "status": str(status)}]}, status)
