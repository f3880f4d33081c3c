from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from importlib.metadata import version

import pytest
import structlog
from indigo_kernel import context
from indigo_kernel.logging import REDACTED, configure_logging, without_secrets

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is global: leave it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    quiet = logging.getLogger("uvicorn.access").disabled, logging.getLogger("httpx").level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("uvicorn.access").disabled = quiet[0]
    logging.getLogger("httpx").setLevel(quiet[1])
    structlog.reset_defaults()


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    configure_logging(service="kernel", stream=stream)
    return stream


def line(out: io.StringIO) -> dict:
    (only,) = out.getvalue().splitlines()
    return json.loads(only)


def test_a_line_says_who_when_and_in_which_trace(out) -> None:
    working = context.new_context()
    with context.within(working):
        structlog.get_logger("test").info("plan.published", plan="p1")
    told = line(out)
    assert told["event"] == "plan.published"
    assert told["plan"] == "p1"
    assert told["level"] == "info"
    assert told["service"] == "kernel"
    assert told["version"] == version("indigo-kernel")
    assert (told["trace_id"], told["span_id"]) == (working.trace_id, working.span_id)
    assert len(told["timestamp"]) == len("2026-01-01T00:00:00.000Z")


def test_outside_of_work_there_is_no_trace(out) -> None:
    structlog.get_logger("test").info("process.ready")
    assert "trace_id" not in line(out)


def test_the_standard_library_logs_in_the_same_shape(out) -> None:
    logging.getLogger("foreign").warning("a %s of theirs", "line", extra={"peer": "x"})
    told = line(out)
    assert told["event"] == "a line of theirs"
    assert told["peer"] == "x"
    assert told["service"] == "kernel"


def test_a_stack_is_one_field_of_one_line(out) -> None:
    try:
        raise RuntimeError(f"with Bearer {JWT}")
    except RuntimeError:
        structlog.get_logger("test").exception("work.failed")
    told = line(out)
    assert "Traceback" in told["exception"]
    assert JWT not in told["exception"]


def test_user_text_cannot_forge_a_line(out) -> None:
    structlog.get_logger("test").info("plan.named", title='a\n{"event": "forged"}\x1b[31m')
    assert line(out)["title"].startswith("a\n")


def test_levels(out) -> None:
    structlog.get_logger("test").debug("probe.answered")
    assert out.getvalue() == ""
    configure_logging(service="kernel", level="debug", stream=out)
    structlog.get_logger("test").debug("probe.answered")
    assert line(out)["level"] == "debug"


def test_a_line_may_name_its_own_service(out) -> None:
    structlog.get_logger("test").info("request.finished", service="pid")
    assert line(out)["service"] == "pid"


def test_a_person_gets_text() -> None:
    screen = Screen()
    configure_logging(service="kernel", stream=screen)
    structlog.get_logger("test").info("plan.published", token="t0psecret")
    assert "plan.published" in screen.getvalue()
    assert "t0psecret" not in screen.getvalue()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (
            {"Authorization": "x", "nested": {"api_key": "k", "n": 1}},
            {"Authorization": REDACTED, "nested": {"api_key": REDACTED, "n": 1}},
        ),
        ({"client_secret": "s", "access_token": None}, {"client_secret": REDACTED, "access_token": None}),
        (f"got {JWT} there", f"got {REDACTED} there"),
        (JWT, REDACTED),
        ("Bearer abcdefghijk", REDACTED),
        ("basic\tdXNlcjpwYXNz", REDACTED),
        ("indigo_abcd1234_0123456789abcdef0123456789abcdef", REDACTED),
        ("key indigo_abcd1234_0123456789abcdef0123456789abcdef", f"key {REDACTED}"),
        ("amqp://indigo:hunter2@broker:5672/", f"amqp://{REDACTED}@broker:5672/"),
        (["a", f"x {JWT}"], ["a", f"x {REDACTED}"]),
        ("the bearer of news, tokens and eyJ", "the bearer of news, tokens and eyJ"),
        ({"tokens_used": 3, "key": "plain"}, {"tokens_used": 3, "key": "plain"}),
        (7, 7),
    ],
)
def test_secrets_are_cut_out(value: object, told: object) -> None:
    assert without_secrets(value) == told
