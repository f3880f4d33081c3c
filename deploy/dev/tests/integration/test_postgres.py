"""The embedded PostgreSQL through the accidents of its life."""

import asyncio
import os
import signal
import subprocess
import sys

import asyncpg
import psutil
import pytest
from indigo_dev.__main__ import main
from indigo_dev.databases import database_name, ensure_databases, libpq_url
from indigo_dev.postgres import EmbeddedPostgres
from indigo_dev.processes import DirectoryBusyError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

PARENT = """
import sys
from pathlib import Path
from indigo_dev.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


def spawn_parent(directory):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return parent, int(parent.stdout.readline())


def close(parent):
    parent.stdin.close()
    parent.stdout.close()
    parent.wait()


async def fetch(url, query):
    connection = await asyncpg.connect(libpq_url(url))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_the_url_alone_is_enough_for_sqlalchemy_and_data_outlives_a_restart(tmp_path):
    directory = tmp_path / "a directory"
    with EmbeddedPostgres(directory) as server:
        assert await server.ensure_databases(["one", "two"]) == ["one", "two"]
        assert await server.ensure_databases(["two", "three"]) == ["three"]
        engine = create_async_engine(server.database_url("one"))
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE kept (n int)"))
        await engine.dispose()
        assert await fetch(server.server_url, "SHOW fsync") == "on"
        assert int(await fetch(server.uri, "SHOW max_connections")) >= 200
        pid = server.pid
    assert not psutil.pid_exists(pid)
    with EmbeddedPostgres(directory) as server:
        assert await fetch(server.database_url("one"), "SELECT to_regclass('kept')::text") == "kept"


async def test_two_callers_may_ensure_the_same_databases_at_once(postgres_server, make_database):
    name = database_name(await make_database("race"))
    connection = await asyncpg.connect(libpq_url(postgres_server))
    await connection.execute(f"DROP DATABASE {name}")
    await connection.close()
    created = await asyncio.gather(*(ensure_databases(postgres_server, [name]) for _ in range(4)))
    assert [made for each in created for made in each] == [name]


async def test_what_a_killed_parent_had_committed_is_there_for_the_next(tmp_path):
    parent, server_pid = spawn_parent(tmp_path)
    url = EmbeddedPostgres(tmp_path).server_url
    await ensure_databases(url, ["committed"])
    os.kill(parent.pid, signal.SIGKILL)
    close(parent)
    assert psutil.pid_exists(server_pid)
    with EmbeddedPostgres(tmp_path) as server:
        assert server.pid != server_pid
        assert await server.ensure_databases(["committed"]) == []
    assert not psutil.pid_exists(server_pid)


async def test_a_killed_server_recovers_although_its_pid_file_names_a_stranger(tmp_path):
    server = EmbeddedPostgres(tmp_path)
    server.start()
    await server.ensure_databases(["committed"])
    pid_file = tmp_path / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.kill()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with server:
        assert await server.ensure_databases(["committed"]) == []


def test_control_c_for_the_parent_leaves_the_server_to_the_parent(tmp_path):
    parent, server_pid = spawn_parent(tmp_path)
    assert os.getsid(server_pid) == server_pid != os.getsid(parent.pid)
    os.killpg(parent.pid, signal.SIGINT)
    close(parent)
    assert not psutil.pid_exists(server_pid), "the parent's exit hook ended it"


def test_a_second_parent_is_refused_and_the_first_keeps_its_server(tmp_path):
    with EmbeddedPostgres(tmp_path) as first:
        with pytest.raises(DirectoryBusyError, match="choose another directory"):
            EmbeddedPostgres(tmp_path).start()
        assert first.pid is not None


async def test_a_path_too_long_for_a_socket_works(tmp_path):
    with EmbeddedPostgres(tmp_path / ("long" * 30), durable=False) as server:
        assert await fetch(server.server_url, "SHOW fsync") == "off"


def test_the_command_line_starts_reports_and_stops(tmp_path, capsys):
    arguments = ["--dir", str(tmp_path / "pg")]
    assert main(["postgres", "status", *arguments]) == 1
    assert main(["postgres", "start", *arguments]) == 0
    assert main(["postgres", "status", *arguments]) == 0
    assert "postgresql+asyncpg://" in capsys.readouterr().out
    assert main(["postgres", "stop", *arguments]) == 0
    assert main(["postgres", "stop", *arguments]) == 1
