"""One owner for a directory."""

import subprocess
import sys

import pytest
from indigo_dev.processes import DirectoryBusyError, DirectoryLock, tail

HOLD = """
import sys
from pathlib import Path
from indigo_dev.processes import DirectoryLock
DirectoryLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_owner_is_told_who_the_first_is(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DirectoryBusyError, match=rf"in use by process {other.pid}\b"):
            DirectoryLock(tmp_path).acquire()
        other.kill()
    DirectoryLock(tmp_path).acquire()


def test_a_released_directory_can_be_taken_again(tmp_path):
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    lock.release()
    DirectoryLock(tmp_path).acquire()


def test_the_tail_of_a_missing_log_says_so(tmp_path):
    assert "was not written" in tail(tmp_path / "server.log")
