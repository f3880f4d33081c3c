"""Crossref's deposit system and its REST API over HTTP.

Sources: Crossref documentation, "XML deposit using HTTPS POST" (``servlet/deposit``), "Using HTTPS to retrieve
logs" (``servlet/submissionDownload``), REST API (``/prefixes/{prefix}/works`` with ``cursor``). The deposit
system says in the page it answers with, not in the status, whether a file was received.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from html import escape
from urllib.parse import quote, quote_plus

import httpx
from indigo_contracts.text import storable_text
from indigo_kernel.clock import Clock
from pydantic import BaseModel, Field, ValidationError

from indigo_pid.adapters.asking import ask
from indigo_pid.application.ports import RegistrarDown, RemoteDoi
from indigo_pid.crossref.batches import file_name
from indigo_pid.crossref.reports import Report, read_report

RECEIVED = "successfully received"
TRY_AGAIN = frozenset({401, 403, 404, 407, 408, 409, 421, 423, 425, 429})
"""Client errors that are not about what is deposited: wrong credentials or a wrong base URL, which an operator
mends, a queue that is full, and matters of the moment."""
ROWS = 1000
"""DOIs on a page of the REST API, the most it gives."""


_TAG = re.compile(r"<[^>]*>")


class _Primary(BaseModel):
    url: str | None = Field(default=None, alias="URL")


class _Resource(BaseModel):
    primary: _Primary = _Primary()


class _Work(BaseModel):
    doi: str = Field(alias="DOI")
    resource: _Resource = _Resource()


class _Message(BaseModel):
    items: list[_Work]
    next_cursor: str | None = Field(default=None, alias="next-cursor")


class _Works(BaseModel):
    message: _Message


class CrossrefClient:
    """``deposits`` and ``rest`` have the base URLs and a time limit.

    ``password`` reads the secret whenever it is needed; it is in no log and in no error.
    """

    def __init__(
        self,
        deposits: httpx.AsyncClient,
        rest: httpx.AsyncClient,
        clock: Clock,
        login: str,
        password: Callable[[], str],
        email: str,
    ) -> None:
        self._deposits = deposits
        self._rest = rest
        self._clock = clock
        self._login = login
        self._password = password
        self._email = email

    @property
    def base_url(self) -> str:
        return str(self._deposits.base_url).rstrip("/")

    async def deposit(self, batch_id: str, document: str) -> None:
        """Hand in a document. It is in the queue then, and nothing else is known.

        Raises ``RegistrarDown``, and ``RegistrarRefused`` when the document is not taken.
        """
        secret = self._secret()
        reason = partial(_reason, secret)
        answer = await ask(
            self._deposits,
            self._clock,
            "POST",
            "/servlet/deposit",
            try_again=TRY_AGAIN,
            reason=reason,
            data={"operation": "doMDUpload", "login_id": self._login, "login_passwd": secret},
            files={"fname": (file_name(batch_id), document.encode(), "application/xml")},
        )
        if RECEIVED not in answer.text:
            raise RegistrarDown(f"It does not say that the deposit was received: {reason(answer)}")

    async def report(self, batch_id: str) -> Report:
        """What became of a deposit so far. Raises ``RegistrarDown`` and ``RegistrarRefused``."""
        secret = self._secret()
        answer = await ask(
            self._deposits,
            self._clock,
            "GET",
            "/servlet/submissionDownload",
            try_again=TRY_AGAIN,
            reason=partial(_reason, secret),
            params={
                "usr": self._login,
                "pwd": secret,
                # By the file's name, which is known as soon as it is in the queue; the batch's is not.
                "file_name": file_name(batch_id),
                "type": "result",
            },
        )
        try:
            return read_report(answer.content)
        except ValueError as error:
            raise RegistrarDown(f"The report cannot be read: {error}") from error

    async def works(self, prefix: str) -> AsyncIterator[Sequence[RemoteDoi]]:
        """The DOIs under ``prefix`` that the REST API knows. Raises ``RegistrarDown`` and ``RegistrarRefused``."""
        cursor: str | None = "*"
        while cursor is not None:
            answer = await ask(
                self._rest,
                self._clock,
                "GET",
                f"/prefixes/{quote(prefix)}/works",
                try_again=TRY_AGAIN,
                reason=partial(_reason, None),
                params={"rows": ROWS, "cursor": cursor, "select": "DOI,resource", "mailto": self._email},
            )
            try:
                message = _Works.model_validate_json(answer.content).message
            except ValidationError as error:
                raise RegistrarDown(f"The list cannot be read: {error.errors()[0]['msg']}") from error
            yield [RemoteDoi(one.doi.lower(), None, one.resource.primary.url) for one in message.items]
            cursor = message.next_cursor if message.items else None

    def _secret(self) -> str:
        try:
            return self._password()
        except (OSError, UnicodeDecodeError) as error:
            raise RegistrarDown(f"The password cannot be read from its file: {type(error).__name__}") from error


def _reason(secret: str | None, response: httpx.Response) -> str:
    """The beginning of what the body says, without tags and the ``secret``; text a database can hold."""
    text = response.text
    if secret:
        text = re.sub(_shown(secret), "…", text, flags=re.IGNORECASE)  # pages of errors may show what was asked
    told = " ".join(_TAG.sub(" ", text[:1000]).split())[:200] or response.reason_phrase
    return storable_text(told)


def _shown(secret: str) -> str:
    """A pattern of ``secret`` on a page: each character as it is, percent-encoded, or as HTML has it."""
    forms = ({one, quote(one, safe=""), quote_plus(one), escape(one), f"&#{ord(one)};"} for one in secret)
    return "".join(f"(?:{'|'.join(map(re.escape, spelled))})" for spelled in forms)
