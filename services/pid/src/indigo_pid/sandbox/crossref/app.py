"""The HTTP face of Crossref's sandbox: ``/servlet/deposit``, ``/servlet/submissionDownload`` and REST reads.

Sources: Crossref documentation, "XML deposit using HTTPS POST" and "Using HTTPS to retrieve logs"; Crossref REST
API, ``/works/{doi}`` and ``/prefixes/{prefix}/works``. The queue is processed when the report on something in it
has been asked for a number of times, so that no test has to wait.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.responses import HTMLResponse, JSONResponse

from indigo_pid.sandbox.crossref.processing import (
    MAX_BYTES,
    Deposit,
    Line,
    Unprocessable,
    judge,
    read_deposit,
    report,
)
from indigo_pid.sandbox.crossref.store import CrossrefStore, Desk, Submission

_MOST_ROWS = 1000
_USUAL_ROWS = 20


class Queue(BaseModel):
    """How the queue behaves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    polls: int = Field(default=1, ge=0, le=1000, description="looks at a report before the deposit is processed")


@dataclass(frozen=True, slots=True)
class CrossrefAccount:
    """The one login, its password, and its prefixes."""

    login: str
    password: str = field(repr=False)
    prefixes: frozenset[str]

    def admits(self, login: object, password: object) -> bool:
        """Whether these are its credentials, which compare with case."""
        return (
            isinstance(login, str)
            and isinstance(password, str)
            and secrets.compare_digest(login.encode(), self.login.encode())
            and secrets.compare_digest(password.encode(), self.password.encode())
        )


class SandboxCrossref:
    """The operations. ``queue`` may be set at any time."""

    def __init__(self, store: CrossrefStore, account: CrossrefAccount) -> None:
        self._store = store
        self._account = account
        self.queue = Queue()

    async def deposit(self, request: Request) -> Response:
        """``POST /servlet/deposit``: take a file into the queue."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BYTES + 65_536:
            return _page(413, "FAILURE", "The file is too large.")
        try:
            form = await request.form(max_files=1, max_fields=10)
        except MultiPartException as error:
            return _page(400, "FAILURE", error.message)
        if not self._account.admits(form.get("login_id"), form.get("login_passwd")):
            return _page(401, "UNAUTHORIZED", "The login or the password is wrong.")
        file = form.get("fname")
        if form.get("operation", "doMDUpload") != "doMDUpload" or not isinstance(file, UploadFile):
            return _page(200, "FAILURE", "There is no metadata file to process.")
        name = (file.filename or "").replace("\0", "")
        async with self._store.open() as desk:
            await desk.receive(name, await file.read())
        return _page(200, "SUCCESS", "Your batch submission was successfully received.")

    async def result(self, request: Request) -> Response:
        """``GET /servlet/submissionDownload``: the report on a file, or the file."""
        query = request.query_params
        if not self._account.admits(query.get("usr"), query.get("pwd")):
            return _page(401, "UNAUTHORIZED", "The login or the password is wrong.")
        async with self._store.open() as desk:
            found = await desk.submission(query.get("file_name", "").replace("\0", ""))
            if found is None:
                return _xml(report("unknown_submission", 0, ""))
            if query.get("type") == "contents":
                return Response(found.contents, media_type="application/xml")
            return _xml(await self._looked(desk, found))

    async def work(self, doi: str) -> Response:
        """``GET /works/{doi}``."""
        async with self._store.open() as desk:
            found = await desk.work(doi.lower().replace("\0", ""))
        if found is None:
            return Response("Resource not found.", 404, media_type="text/plain")
        return _message("work", found)

    async def works(self, request: Request, prefix: str) -> Response:
        """``GET /prefixes/{prefix}/works``: pages by ``cursor``, ``*`` for the first."""
        cursor = request.query_params.get("cursor", "*")
        given = request.query_params.get("rows", "")
        rows = min(int(given[:6]), _MOST_ROWS) if given.isascii() and given.isdecimal() else _USUAL_ROWS
        try:
            after = "" if cursor == "*" else base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
        except ValueError:
            return JSONResponse({"status": "failed", "message": [{"message": "The cursor is invalid."}]}, 400)
        async with self._store.open() as desk:
            items, total = await desk.works(prefix.replace("\0", ""), after=after.replace("\0", ""), limit=rows)
        message: dict[str, Any] = {"total-results": total, "items": items, "items-per-page": rows}
        last = items[-1]["DOI"] if items else after
        message["next-cursor"] = base64.urlsafe_b64encode(last.encode()).decode()
        return _message("work-list", message)

    async def _looked(self, desk: Desk, found: Submission) -> str:
        if found.result is not None:
            return found.result
        if found.polls < self.queue.polls:
            await desk.look(found)
            return report("queued", found.id, "")
        result = ""
        for one in await desk.queue():
            done = await self._process(desk, one)
            await desk.finish(one, done)
            if one.id == found.id:
                result = done
        return result

    async def _process(self, desk: Desk, submission: Submission) -> str:
        try:
            deposit = read_deposit(submission.contents)
        except Unprocessable as error:
            return report("completed", submission.id, "", [Line("", "Failure", str(error))])
        known = await desk.timestamps([work.doi for work in deposit.works])
        lines = judge(deposit, known, self._account.prefixes)
        await _write(desk, deposit, lines)
        return report("completed", submission.id, deposit.batch_id, lines)


async def _write(desk: Desk, deposit: Deposit, lines: list[Line]) -> None:
    for work, line in zip(deposit.works, lines, strict=True):
        if line.status == "Success":
            await desk.write(work, deposit.timestamp)


def create_crossref_sandbox(registrar: SandboxCrossref) -> FastAPI:
    """The application to mount, or to serve by itself."""
    app = FastAPI(
        title="Sandbox of Crossref", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.post("/servlet/deposit")(registrar.deposit)
    app.get("/servlet/submissionDownload")(registrar.result)
    app.get("/works/{doi:path}")(registrar.work)
    app.get("/prefixes/{prefix}/works")(registrar.works)
    return app


def _page(status: int, title: str, text: str) -> Response:
    page = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h2>{title}</h2>\n<p>{text}</p>\n</body>\n</html>\n"
    )
    return HTMLResponse(page, status)


def _xml(text: str) -> Response:
    return Response(text, media_type="text/xml")


def _message(kind: str, message: dict[str, Any]) -> Response:
    return JSONResponse({"status": "ok", "message-type": kind, "message-version": "1.0.0", "message": message})
