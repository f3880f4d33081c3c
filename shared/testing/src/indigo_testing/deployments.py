"""The suite as its users run it: in processes of its own, reached over HTTP, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from indigo_dev.databases import database_url
from indigo_dev.postgres import EmbeddedPostgres
from indigo_dev.processes import free_port
from indigo_suite.configuration import values_of
from indigo_suite.layout import SERVICES, Addresses, DataDirectory
from indigo_suite.researcher import Endpoints
from indigo_suite.suite import EVERY_SCOPE, make_issuer, token

START_SECONDS = 180.0
STOP_SECONDS = 60.0

Environment = Mapping[str, str]


def free_block() -> int:
    """The first of six neighboring free ports, as many as the suite takes."""
    return free_port(6)


class Process:
    """A process whose output goes to ``log``."""

    def __init__(self, name: str, command: list[str], log: Path, environment: Environment) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=output, stderr=output
            )

    def kill(self) -> None:
        """SIGKILL: nothing gets to say good-bye."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def wait(self, seconds: float) -> int:
        """The exit status of a process that ends by itself."""
        return self._process.wait(seconds)

    def await_answer(self, url: str) -> None:
        """Wait until ``url`` answers 200. Raises ``RuntimeError`` with the end of the log when it does not."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(url, timeout=2, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass  # not yet
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start:\n{self._log.read_text()[-4000:]}")
            time.sleep(0.1)


class Deployment:
    """What standalone suite and cluster have in common: a folder, addresses, tokens."""

    def __init__(self, folder: Path, port: int) -> None:
        self.data = DataDirectory(folder)
        self.data.create()
        self.addresses = Addresses(port)

    @property
    def endpoints(self) -> Endpoints:
        of = self.addresses.of
        return Endpoints(of("dmp"), of("repository"), of("pid"), of("integrity"), of("qos-gateway"))

    def token(self, subject: str = "researcher", scopes: list[str] | None = None) -> str:
        issuer = make_issuer(self.data, self.addresses)
        return token(issuer, subject, EVERY_SCOPE if scopes is None else scopes)


class Standalone(Deployment):
    """``indigo up``."""

    def __init__(self, folder: Path, port: int, environment: Environment) -> None:
        super().__init__(folder, port)
        self._environment = {"INDIGO_LOG_LEVEL": "info", **environment}
        self.process: Process | None = None

    def start(self) -> None:
        arguments = ["up", "--data-dir", str(self.data.root), "--port", str(self.addresses.port)]
        self.process = Process(
            "the suite", [sys.executable, "-m", "indigo_suite.cli", *arguments], self.data.log, self._environment
        )
        self.process.await_answer(f"{self.addresses.front}/livez")

    def kill(self) -> None:
        assert self.process
        self.process.kill()


@contextmanager
def standalone(folder: Path, port: int, environment: Environment | None = None) -> Iterator[Standalone]:
    """``indigo up`` for the length of the block, on a data directory that stays."""
    suite = Standalone(folder, port, environment or {})
    try:
        suite.start()
        yield suite
    finally:
        if suite.process:
            suite.process.stop()
        EmbeddedPostgres(suite.data.postgres).stop_detached()  # after a kill nobody else ends it


class Cluster(Deployment):
    """Every service as three processes, with servers of their own, as on Kubernetes."""

    def __init__(self, folder: Path, port: int, server_url: str, amqp_url: str) -> None:
        super().__init__(folder, port)
        self._server_url = server_url
        self._amqp_url = amqp_url
        self.processes: dict[str, Process] = {}

    def environment(self, service: str) -> dict[str, str]:
        """The settings of a service as environment variables."""
        name = f"indigo_{service.replace('-', '_')}"
        values = values_of(
            service,
            self.data,
            self.addresses,
            database_url=database_url(self._server_url, name),
            amqp_url=self._amqp_url,
        )
        values |= {
            "trusted_issuers": json.dumps([self.addresses.issuer]),
            "token_url": f"{self.addresses.issuer}/token",
            "client_id": service,
            "client_secret": self.data.secret(f"client-{service}"),
        }
        return {f"{name.upper()}_{key.upper()}": str(value) for key, value in values.items()}

    def run(self, service: str, verb: str) -> Process:
        package = f"indigo_{service.replace('-', '_')}"
        return Process(
            f"{service} {verb}", [sys.executable, "-m", package, verb], self.data.log, self.environment(service)
        )

    def start(self) -> None:
        """Migrate every database, then start every process; returns when every API answers."""
        for process in [self.run(service, "migrate") for service in SERVICES]:
            if process.wait(START_SECONDS):
                raise RuntimeError(f"{process.name} failed:\n{self.data.log.read_text()[-4000:]}")
        for verb in ("consume", "serve", "relay"):  # queues before what is put into them
            for service in SERVICES:
                self.processes[f"{service} {verb}"] = self.run(service, verb)
            if verb == "consume":
                for service in SERVICES:
                    self._await_ready(service)
        for service in SERVICES:
            self.processes[f"{service} serve"].await_answer(f"{self.addresses.of(service)}/readyz")

    def _await_ready(self, service: str) -> None:
        """A consumer has no port of its own here: its line in the log says that its queue is there."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for line in self.data.log.read_text().splitlines():
                if '"process.ready"' in line and f'"{service}"' in line and '"consume"' in line:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"{service} consume is not ready:\n{self.data.log.read_text()[-4000:]}")

    def stop(self) -> list[int]:
        return [process.stop() for process in self.processes.values()]
