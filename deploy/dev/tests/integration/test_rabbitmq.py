"""The private RabbitMQ through the accidents of its life. One node for all: each boot takes seconds."""

import asyncio

import aio_pika
import psutil
import pytest
from indigo_dev.processes import DirectoryBusyError, ServerError
from indigo_dev.rabbitmq import PrivateRabbit

pytestmark = pytest.mark.amqp


async def put(url, queue, body=b"kept"):
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=queue)


async def test_a_killed_node_restarts_on_the_same_port_with_its_messages(rabbit):
    url, pid = rabbit.url, rabbit.pid
    await put(url, "survivor")
    await asyncio.to_thread(rabbit.wait_until_recoverable, "survivor")
    rabbit.kill()
    assert rabbit.pid is None
    await asyncio.to_thread(rabbit.restart)
    assert rabbit.url == url
    assert rabbit.pid != pid
    async with await aio_pika.connect(url) as connection:
        queue = await (await connection.channel()).get_queue("survivor")
        message = await queue.get(timeout=20)
        assert message.body == b"kept"
        await message.ack()
    rabbit.delete_queue("survivor")


async def test_queues_are_listed_and_deleted(rabbit):
    await put(rabbit.url, "listed")
    assert "listed" in rabbit.list_queues()
    rabbit.delete_queue("listed")
    assert "listed" not in rabbit.list_queues()
    with pytest.raises(ServerError, match="listed"):
        rabbit.delete_queue("listed")


async def test_a_frozen_node_says_nothing_until_it_is_thawed(rabbit):
    rabbit.freeze()
    try:
        assert psutil.Process(rabbit.pid).status() == psutil.STATUS_STOPPED
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(aio_pika.connect(rabbit.url), timeout=0.5)
    finally:
        rabbit.thaw()
    async with await aio_pika.connect(rabbit.url) as connection:
        assert not connection.is_closed


def test_stop_leaves_no_process_not_even_the_port_mapper(tmp_path):
    node = PrivateRabbit(tmp_path / "node")
    node.start()
    names = {process.name() for process in node._processes()}
    assert {"epmd", "beam.smp"} <= names
    with pytest.raises(DirectoryBusyError):
        PrivateRabbit(tmp_path / "node").start()
    node.freeze()
    node.stop()
    assert node._processes() == []


def test_a_directory_without_a_node_has_no_url(tmp_path):
    with pytest.raises(ServerError, match="start it first"):
        _ = PrivateRabbit(tmp_path).url
