"""Identifiers are UUIDs of version 7, sort by time, and do not repeat."""

from __future__ import annotations

import time
import uuid

from indigo_kernel.ids import new_id, uuid7


def test_each_is_a_uuid_of_version_7() -> None:
    for _ in range(1000):
        text = new_id()
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 7, uuid.RFC_4122)
    assert uuid7().version == 7


def test_they_begin_with_the_milliseconds_and_do_not_repeat() -> None:
    before = time.time_ns() // 1_000_000
    made = {new_id() for _ in range(10_000)}
    after = time.time_ns() // 1_000_000
    assert len(made) == 10_000
    assert all(before <= uuid.UUID(text).int >> 80 <= after for text in made)
    assert {text[19] for text in made} == set("89ab")
