"""The fixtures every other test stands on."""

import socket
from urllib.parse import urlsplit

import aio_pika
import pytest
from indigo_dev import processes
from indigo_dev.processes import ServerError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


async def run(url, *statements):
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            results = [await connection.execute(text(statement)) for statement in statements]
            return [result.scalar() if result.returns_rows else None for result in results]
    finally:
        await engine.dispose()


async def test_a_made_database_is_empty_and_named_after_its_hint(make_database):
    url = await make_database("Plans & Reviews")
    assert "test_plans_reviews_" in url
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await run(url, tables) == [0]


async def test_two_databases_of_one_hint_are_two(make_database):
    first, second = [await make_database("twin") for _ in range(2)]
    await run(first, "CREATE TABLE only_here ()")
    assert await run(second, "SELECT to_regclass('only_here')") == [None]


async def test_a_template_is_copied_with_its_rows(make_database):
    template = await make_database("template")
    await run(template, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)")
    copy = await make_database("copy", template=template)
    assert await run(copy, "SELECT n FROM t") == [7]


async def test_a_temporary_database_is_gone_although_somebody_is_connected(make_database, postgres_server):
    async with make_database.temporary("short") as url:
        engine = create_async_engine(url)
        connection = await engine.connect()
        name = (await connection.execute(text("SELECT current_database()"))).scalar()
    present = f"SELECT count(*) FROM pg_database WHERE datname = '{name}'"
    assert await run(postgres_server, present) == [0]
    await connection.invalidate()
    await connection.close()
    await engine.dispose()


def test_free_ports_can_be_bound_and_are_given_to_no_connection(free_port):
    first = free_port(3)
    assert first + 2 < 32_768, "where Linux begins"
    for port in range(first, first + 3):
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))


def test_ports_beside_one_that_is_taken_are_not_given(free_port, monkeypatch):
    first = free_port(2)
    monkeypatch.setattr(processes, "_PORTS", range(first, first + 1))
    with socket.socket() as server:
        server.bind(("127.0.0.1", first + 1))
        assert free_port() == first
        with pytest.raises(ServerError, match="2 neighboring"):
            free_port(2)


def test_vectors_is_a_directory_with_something_in_it(vectors):
    assert any(vectors.iterdir())


@pytest.mark.amqp
async def test_the_broker_takes_and_gives_a_message(amqp_url):
    assert urlsplit(amqp_url).scheme == "amqp"
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await channel.default_exchange.publish(aio_pika.Message(b"here"), routing_key=queue.name)
        message = await queue.get(timeout=10)
        await message.ack()
    assert message.body == b"here"
