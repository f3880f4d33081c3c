"""The suite as its users run it: processes of its own, reached over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from indigo_dev.postgres import EmbeddedPostgres
from indigo_suite.layout import Addresses, DataDirectory
from indigo_suite.researcher import Endpoints, Researcher
from indigo_suite.suite import EVERY_SCOPE, make_issuer, token

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "penguins"


def free_block(free_port: Callable[[], int]) -> int:
    """The first of six neighboring free ports."""
    import socket

    for _ in range(200):
        first = free_port()
        if first > 65_000:
            continue
        probes = []
        try:
            for offset in range(6):
                probe = socket.socket()
                probes.append(probe)
                probe.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        else:
            return first
        finally:
            for probe in probes:
                probe.close()
    raise RuntimeError("no six neighboring ports are free")


class Standalone:
    """``indigo up`` in a process of its own that can be killed and started again."""

    def __init__(self, folder: Path, port: int, environment: dict[str, str] | None = None) -> None:
        self.data = DataDirectory(folder)
        self.addresses = Addresses(port)
        self._environment = os.environ | {"INDIGO_LOG_LEVEL": "info"} | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoints(self) -> Endpoints:
        of = self.addresses.of
        return Endpoints(of("dmp"), of("repository"), of("pid"), of("integrity"), of("qos-gateway"))

    def start(self) -> None:
        self.data.create()
        with self.data.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "indigo_suite.cli",
                    "up",
                    "--data-dir",
                    str(self.data.root),
                    "--port",
                    str(self.addresses.port),
                ],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                if httpx.get(f"{self.addresses.front}/livez", timeout=2, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the suite did not start:\n{self.data.log.read_text()[-4000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL: nothing gets to say good-bye."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def token(self, subject: str = "researcher", scopes: list[str] | None = None) -> str:
        issuer = make_issuer(self.data, self.addresses)
        return token(issuer, subject, EVERY_SCOPE if scopes is None else scopes)


@contextmanager
def standalone(
    folder: Path, free_port: Callable[[], int], environment: dict[str, str] | None = None
) -> Iterator[Standalone]:
    suite = Standalone(folder, free_block(free_port), environment)
    suite.start()
    try:
        yield suite
    finally:
        suite.stop()
        EmbeddedPostgres(suite.data.postgres).stop_detached()  # after a kill nobody else ends it


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Standalone]:
    """One suite with the in-process bus for all tests of a module."""
    folder = tmp_path_factory.mktemp("suite")
    with standalone(folder, free_port) as running:
        yield running


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def researcher(suite: Standalone, http: httpx.AsyncClient) -> Researcher:
    return Researcher(http, suite.endpoints, suite.token())


@pytest.fixture
def example() -> Path:
    return EXAMPLE
