"""S3 servers for tests: moto's, and a private Ceph when its programs are installed."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from indigo_dev.processes import free_port
from indigo_qos_gateway.adapters.s3.signing import EMPTY, Keys, signed

from indigo_testing.foreign import environment

CEPH = Path(__file__).parents[4] / "deploy/dev/ceph"
INSTALL_CEPH = "apt-get install -y --no-install-recommends ceph-mon ceph-osd ceph-mgr radosgw ceph-common"
_PROGRAMS = ("ceph-mon", "ceph-osd", "ceph-mgr", "radosgw", "ceph")
_REGION = "us-east-1"


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of moto's S3. Any keys will do; everything is gone after the block."""
    programs = environment("moto", "moto[server]==5.2.5")
    port = free_port()
    process = subprocess.Popen(
        [programs / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            if process.poll() is None and _answers(url):
                break
            time.sleep(0.1)
        else:
            pytest.fail("moto's server did not start")
        yield url
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ceph_server(directory: Path) -> Iterator[str]:
    """The address of a private Ceph's S3, whose state is in ``directory``. Skips where there is no Ceph."""
    if not all(shutil.which(each) for each in _PROGRAMS):
        pytest.skip(f"needs a Ceph: {INSTALL_CEPH}")
    port = str(free_port(3))  # those of its monitor come after it
    started = subprocess.run(
        [CEPH, "start", directory, port], check=False, capture_output=True, text=True, timeout=90
    )
    try:
        assert started.returncode == 0, started.stderr
        yield started.stdout.strip()
    finally:
        subprocess.run([CEPH, "stop", directory], check=True, timeout=30)


def write_keys(directory: Path) -> None:
    """Write the files ``access`` and ``secret`` with the keys both servers take."""
    (directory / "access").write_text("AK\n")
    (directory / "secret").write_text("SK\n")


async def make_bucket(endpoint: str, name: str) -> None:
    """Make a bucket of the user who has those keys."""
    url = f"{endpoint.rstrip('/')}/{name}"
    async with httpx.AsyncClient() as http:
        headers = signed(Keys("AK", "SK"), _REGION, datetime.now(UTC), "PUT", url, {}, EMPTY)
        (await http.put(url, headers=headers)).raise_for_status()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False
