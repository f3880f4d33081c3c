"""Identifiers are UUIDs of version 7, sort by time, and do not repeat."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

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


def test_threads_do_not_repeat_each_other() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = [
            text for texts in threads.map(lambda _: [new_id() for _ in range(2000)], range(8)) for text in texts
        ]
    assert len({text[14:] for text in made}) == 16_000  # the random part alone


FORKS = """
import os
from indigo_kernel.ids import new_id
new_id()  # takes random numbers for later ones too
child = os.fork()
os.write(1, "".join(new_id()[14:] + " " for _ in range(100)).encode())
if child:
    os.waitpid(child, 0)
"""


def test_a_process_that_forked_does_not_repeat_its_parent() -> None:
    told = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True).stdout.split()
    assert len(told) == 200
    assert len(set(told)) == 200
