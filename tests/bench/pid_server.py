"""The servers of the resolver benchmark: ``pid_server.py PORT bare COUNT | resolver DATABASE_URL``."""

from __future__ import annotations

import sys

import uvicorn
from indigo_kernel.logging import configure_logging
from indigo_pid.application.name_index import Mode
from indigo_pid.bootstrap import build
from indigo_pid.settings import Settings
from starlette.types import ASGIApp, Receive, Scope, Send

BASE = "http://127.0.0.1"
_SAME = [(b"cache-control", b"public, max-age=300"), (b"vary", b"accept"), (b"content-length", b"0")]
"""Headers the resolver sends as well."""


def suffix(number: int) -> str:
    return f"n{number:010d}"


def target(number: int) -> str:
    return f"https://data.example.org/records/{number}"


def bare(count: int) -> ASGIApp:
    """What no resolver can be cheaper than: a dictionary and two messages."""
    names = {f"/21.T99999/{suffix(number)}": target(number).encode() for number in range(count)}

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        found = names.get(scope["path"])
        status = 404 if found is None else 302
        headers = [(b"location", found or b""), *_SAME]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return app


def resolver(database_url: str) -> ASGIApp:
    settings = Settings(
        database_url=database_url,
        public_url=BASE,
        secret_key="a key for the benchmark",
        amqp_url="amqp://127.0.0.1:1",
    )
    api = build(settings).api
    index = api.state.names

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/mode":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
            told = {Mode.CURRENT: b"1", Mode.CUT_OFF: b"2"}.get(index.mode, b"0")
            await send({"type": "http.response.body", "body": told})
            return
        await api(scope, receive, send)

    return app


if __name__ == "__main__":
    configure_logging(service="pid", level="error")
    port, kind, argument = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    made = bare(int(argument)) if kind == "bare" else resolver(argument)
    uvicorn.run(made, host="127.0.0.1", port=port, access_log=False, log_config=None, lifespan="off")
