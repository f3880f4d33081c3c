from __future__ import annotations

import functools
import json
import math
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_kernel.http.jsontext import INT64_MAX, INT64_MIN, check_json
from indigo_kernel.problems import BadRequest, DomainError, InvalidText


def refused(body: bytes, max_depth: int = 64) -> DomainError | None:
    try:
        check_json(body, max_depth=max_depth)
    except DomainError as error:
        return error
    return None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b' {"a": [1, 2.5, -0.0, 1e10, true, null]} ',
        b'{"big": 9223372036854775807, "small": -9223372036854775808}',
        '{"emoji": "\\ud83d\\ude00", "plain": "😀"}'.encode(),
        b'{"text": "a backslash and u0000: \\\\u0000"}',
        b'{"text": "NaN and Infinity, 99999999999999999999"}',
        b'{"long fraction": 0.12345678901234567890123456789}',
        b'{"brackets in text": "' + b"[{" * 200 + b'"}',
    ],
)
def test_what_everybody_can_store_passes(body: bytes) -> None:
    assert refused(body) is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"a": "x\u0000y"}', "/a"),
        (rb'{"a": ["ok", "\ud800"]}', "/a/1"),
        (rb'{"a": {"b~/c": "\uDFFF\uD800"}}', "/a/b~0~1c"),
        (rb'{"a": {"\u0000": 1}}', "/a"),
        (b'{"a": 9223372036854775808}', "/a"),
        (b'{"a": [-9223372036854775809]}', "/a/0"),
        (b'{"a": ' + b"9" * 5000 + b"}", "/a"),
        (b'{"a": NaN}', "/a"),
        (b'{"a": {"b": -Infinity}}', "/a/b"),
        (b'{"a": 1e999}', "/a"),
        (b"NaN", ""),
    ],
)
def test_what_nobody_can_store_is_pointed_at(body: bytes, pointer: str) -> None:
    error = refused(body)
    assert isinstance(error, InvalidText)
    assert [one.pointer for one in error.errors] == [pointer]


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        '{"a": 1}'.encode("utf-32"),
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',  # a surrogate written as UTF-8
        b'{"a": "\x00"}',
    ],
)
def test_other_encodings_are_refused(body: bytes) -> None:
    assert isinstance(refused(body), InvalidText)


@pytest.mark.parametrize(
    "body", [b"{", b"{'a': 1}", b'{"a": 1,}', b"[1] [2]", b'{"a": 01}', b'"\x01"', b"[1 NaN", b"tru"]
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    error = refused(body)
    assert isinstance(error, BadRequest)
    assert "not JSON" in error.detail


def test_a_name_twice_is_pointed_at() -> None:
    error = refused(b'{"a": {"b": [{"c": 1, "d": 2, "c": 3}]}}')
    assert isinstance(error, BadRequest)
    assert error.errors[0].pointer == "/a/b/0"
    assert "'c'" in error.detail


def test_depth_is_counted_outside_of_text() -> None:
    text = b'{"a\\"[[[": ' * 5 + b"1" + b"}" * 5
    assert refused(text, max_depth=5) is None
    assert isinstance(refused(text, max_depth=4), BadRequest)
    assert refused(b"[" + b"[]," * 500 + b"[]]", max_depth=2) is None


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 100_000, b"[" * 5000 + b"]" * 5000])
def test_deep_nesting_does_not_recurse(body: bytes) -> None:
    error = refused(body)
    assert isinstance(error, BadRequest)
    assert "nested" in error.detail


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(INT64_MIN * 2, INT64_MAX * 2)
    | st.floats()
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def storable(value: object) -> bool:
    """The rule in other words, over the value instead of the text."""
    match value:
        case bool() | None:
            return True
        case int():
            return INT64_MIN <= value <= INT64_MAX
        case float():
            return math.isfinite(value)
        case str():
            return "\x00" not in value and all(not 0xD800 <= ord(one) <= 0xDFFF for one in value)
        case list():
            return all(map(storable, value))
        case dict():
            return all(storable(name) and storable(item) for name, item in value.items())
    raise AssertionError(value)


@given(values)
def test_exactly_the_storable_values_pass(value: object) -> None:
    body = json.dumps(value).encode()
    # Two halves of a pair, written next to each other, are a pair when they are read.
    assert (refused(body) is None) == storable(json.loads(body))


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(body: bytes) -> None:
    error = refused(body, max_depth=8)
    if error is None:
        json.loads(body)


def test_a_usual_body_costs_little() -> None:
    body = json.dumps(
        {
            "title": "A plan about rivers",
            "description": "words " * 90,
            "datasets": [{"id": f"ds{n}", "title": "A dataset", "size": n * 1000} for n in range(8)],
        }
    ).encode()
    assert 850 < len(body) < 1100
    check = functools.partial(check_json, body, max_depth=64)
    # The best of several: other work on the machine only ever adds time.
    assert min(timeit.repeat(check, number=200, repeat=10)) / 200 < 30e-6
