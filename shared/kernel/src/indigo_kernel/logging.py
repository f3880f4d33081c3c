"""Logs: one JSON object a line on standard output, or colored text where a person is watching.

Every line has ``timestamp`` (RFC 3339, UTC, milliseconds), ``level``, ``event`` (``noun.verb``), ``service``,
``version`` and, inside a piece of work, ``trace_id`` and ``span_id``. Secrets are cut out of every value.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Any, TextIO, cast

import structlog

from indigo_kernel.context import entered

REDACTED = "[redacted]"

_SECRET_NAMES = re.compile(
    r"(?i)(?:^|[_.-])(?:authorization|cookie|password|passwd|secret|token|api[_-]?key|private[_-]?key)s?$"
)
# Names are few: looking one up is faster than searching it.
_is_secret = lru_cache(512)(_SECRET_NAMES.search)
_SECRETS = re.compile(
    r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JWT
    r"|\bindigo_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{16,}"  # an API key of ours
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user:password in a URL
)
# Each of the secrets has a blank, an underscore, an @ or two dots: most texts have none of them.
_PERHAPS_SECRET = re.compile(r"[\s_@]|\.[^.]*\.")

Event = MutableMapping[str, Any]

_PLAIN = frozenset(
    {"exc_info", "level", "timestamp", "service", "version", "trace_id", "span_id", "method", "route"}
)


class _Sink:
    """The stream of all lines. Loggers live as long as their modules and keep it; what is behind it may change."""

    def __init__(self) -> None:
        self._stream: TextIO = sys.stdout

    def to(self, stream: TextIO) -> TextIO:
        self._stream = stream
        return cast(TextIO, self)

    def write(self, text: str) -> int:
        return self._now().write(text)

    def flush(self) -> None:
        self._now().flush()

    def isatty(self) -> bool:
        return self._now().isatty()

    def _now(self) -> TextIO:
        """The stream, or standard error once it was closed: a line must not fail whoever writes it."""
        return sys.stderr if self._stream.closed else self._stream


_SINK = _Sink()


def configure_logging(*, service: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to ``stream`` (standard output), both in one shape.

    Call it once, first thing in a process. ``service`` is named in lines that bring no name of their own; the
    version is that of the installed distribution ``indigo-<service>``. Uvicorn's access log is switched off,
    because ``request.finished`` has it.
    """
    out = _SINK.to(stream or sys.stdout)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp,
        _Names(service, version(f"indigo-{service}")),
    ]
    renderer: list[structlog.typing.Processor] = (
        [_redact, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if out.isatty()
        else [structlog.processors.format_exc_info, _redact, structlog.processors.JSONRenderer(_as_json)]
    )
    # Our own lines go straight to the stream: the way through the standard library costs five times the CPU.
    structlog.configure(
        processors=[*shared, *renderer],
        logger_factory=structlog.WriteLoggerFactory(out),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    # Its lines at INFO repeat every outgoing request with the full URL, query included.
    logging.getLogger("httpx").setLevel(logging.WARNING)


_ENCODER = json.JSONEncoder(default=repr)


def _as_json(event: Event, **_: Any) -> str:
    """With an encoder made once: ``json.dumps`` with a ``default`` makes one for each line."""
    return _ENCODER.encode(event)


class _Names:
    """Says whose line it is. A line of one service in a process of several brings its own ``service``."""

    def __init__(self, service: str, release: str) -> None:
        self._service = service
        self._release = release

    def __call__(self, _logger: object, _method: str, event: Event) -> Event:
        event.setdefault("service", self._service)
        event.setdefault("version", self._release)
        context = entered()
        if context is not None:
            event["trace_id"] = context.trace_id
            event["span_id"] = context.span_id
        return event


def _stamp(_logger: object, _method: str, event: Event) -> Event:
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _redact(_logger: object, _method: str, event: Event) -> Event:
    return {
        # The fields of every line are ours and hold no secret: looking for some costs more than the rest.
        name: value if name in _PLAIN or isinstance(value, int | float) else without_secrets(value, name)
        for name, value in event.items()
    }


def without_secrets(value: Any, name: str = "") -> Any:
    """``value`` without tokens, keys and passwords, known by ``name`` (``api_key``) or by their look."""
    if name and _is_secret(name) and value is not None:
        return REDACTED
    if isinstance(value, str):
        return _SECRETS.sub(REDACTED, value) if _PERHAPS_SECRET.search(value) else value
    if isinstance(value, Mapping):
        return {key: without_secrets(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return value
