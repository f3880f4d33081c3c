"""The data directory of a standalone suite: everything it must not lose is below one folder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

SERVICES = ("dmp", "repository", "pid", "integrity", "qos-gateway")
"""Order of the service's own ports: the first has the front door's port + 1."""

ROUTES = {
    "dmp": "/dmp",
    "repository": "/repository",
    "pid": "/pid",
    "integrity": "/integrity",
    "qos-gateway": "/qos",
}
"""Where the front door has each service."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Paths below ``root``; ``create`` makes the folders, readable by their owner alone."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def journal(self) -> Path:
        """What the in-process bus has accepted and not yet delivered."""
        return self.root / "bus" / "journal"

    @property
    def issuer(self) -> Path:
        return self.root / "issuer"

    @property
    def repository(self) -> Path:
        return self.root / "repository"

    @property
    def disk(self) -> Path:
        return self.root / "storage" / "disk"

    @property
    def tape(self) -> Path:
        return self.root / "storage" / "tape"

    @property
    def integrity(self) -> Path:
        return self.root / "integrity"

    @property
    def names(self) -> Path:
        """The names the resolver knows."""
        return self.root / "names"

    @property
    def log(self) -> Path:
        return self.root / "suite.log"

    def create(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in (
            self.journal.parent,
            self.issuer,
            self.repository,
            self.disk,
            self.tape,
            self.integrity,
            self.names,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def secret(self, name: str) -> str:
        """A random secret that stays the same for this data directory."""
        path = self.root / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if name not in known:
            known[name] = secrets.token_urlsafe(32)
            draft = path.with_suffix(".new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(known, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        return known[name]

    def note_address(self, base: str) -> None:
        """Remember where the front door is, for the other commands."""
        (self.root / "address").write_text(base + "\n")

    def address(self) -> str | None:
        """Where the front door of a suite on this directory was last."""
        path = self.root / "address"
        return path.read_text().strip() if path.exists() else None


@dataclass(frozen=True, slots=True)
class Addresses:
    """The front door's port and the own ports of the services, all on the loopback address."""

    port: int

    @property
    def front(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        return f"{self.front}/issuer"

    def port_of(self, service: str) -> int:
        return self.port + 1 + SERVICES.index(service)

    def of(self, service: str) -> str:
        """The root of a service, as other services and clients that need a root of their own reach it."""
        return f"http://127.0.0.1:{self.port_of(service)}"
