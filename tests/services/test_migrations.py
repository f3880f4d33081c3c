"""Every service's history of its database: whole, reversible, and enforced at the start."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from indigo_kernel.db import migrate
from indigo_kernel.db.engine import create_engine
from indigo_suite.services import SERVICE_KINDS
from sqlalchemy import Connection

OWN_SETTINGS = {
    "dmp": {},
    "repository": {"STORAGE_DIR": "/nowhere"},
    "pid": {},
    "integrity": {"REPOSITORY_URL": "http://127.0.0.1:1", "WORK_DIR": "/nowhere"},
    "qos-gateway": {
        "REPOSITORY_URL": "http://127.0.0.1:1",
        "POSIX_DISK_DIR": "/nowhere/disk",
        "POSIX_TAPE_DIR": "/nowhere/tape",
    },
}


@pytest.fixture(params=SERVICE_KINDS)
def service(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def migrations(service: str):
    return SERVICE_KINDS[service].example().migrations


def test_there_is_one_head(migrations) -> None:
    assert len(ScriptDirectory.from_config(migrate.config(migrations)).get_heads()) == 1


async def test_the_migrations_make_the_tables_the_code_knows(make_database, migrations, service) -> None:
    """Up, no difference to the metadata, down to nothing, and up again."""
    async with make_database.temporary(service) as url:
        engine = create_engine(url, application="test")

        def check(connection: Connection) -> None:
            cfg = migrate.config(migrations)
            cfg.attributes["connection"] = connection
            command.check(cfg)  # raises when a migration is missing

        await migrate.upgrade(engine, migrations)
        async with engine.begin() as conn:
            await conn.run_sync(check)
        await migrate.downgrade(engine, migrations, "base")
        await migrate.upgrade(engine, migrations)
        await migrate.check(engine, migrations, service)
        await engine.dispose()


def start(package: str, verb: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a verb of a service that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", package, verb],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_service_refuses_to_start_on_another_revision(make_database, service, tmp_path) -> None:
    package = f"indigo_{service.replace('-', '_')}"
    async with make_database.temporary(service) as url:
        values = {
            "DATABASE_URL": url,
            "AMQP_URL": "amqp://127.0.0.1:1",
            "PUBLIC_URL": "http://127.0.0.1:1",
            "SECRET_KEY": "k" * 32,
            **OWN_SETTINGS[service],
        }
        environment = {f"{package.upper()}_{name}": value for name, value in values.items()}
        done = await asyncio.to_thread(start, package, "consume", environment)
    assert done.returncode == 3, done.stderr
    assert f"Run: python -m {package} migrate" in done.stderr


def test_a_service_says_which_setting_is_missing(service) -> None:
    package = f"indigo_{service.replace('-', '_')}"
    done = start(package, "serve", {})
    assert done.returncode == 2, done.stderr
    assert f"{package.upper()}_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
