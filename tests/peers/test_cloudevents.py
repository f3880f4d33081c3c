"""A subscriber that knows none of our code: RabbitMQ through aio-pika, events through the CloudEvents SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aio_pika
import httpx
import jsonschema
import pytest
import pytest_asyncio
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event
from indigo_suite.researcher import Researcher
from indigo_testing.deployments import Standalone, free_block, standalone
from indigo_testing.story import FOLDERS, draft_plan, reserved

pytestmark = pytest.mark.amqp

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "penguins"
SCHEMAS = ROOT / "shared" / "contracts" / "schemas"
PREFIX = "eu.indigo-datacloud."


@pytest.fixture(scope="module")
def suite(tmp_path_factory, amqp_url: str) -> Iterator[Standalone]:
    folder = tmp_path_factory.mktemp("suite")
    with standalone(folder, free_block(), {"INDIGO_AMQP_URL": amqp_url}) as running:
        yield running


class Subscriber:
    """A queue of its own at the broker, and the events that came."""

    def __init__(self, queue: aio_pika.abc.AbstractQueue) -> None:
        self._queue = queue
        self.seen: list[tuple[BaseCloudEvent, aio_pika.abc.AbstractIncomingMessage]] = []

    async def until(self, *facts: str) -> dict[str, BaseCloudEvent]:
        """Read until every one of ``facts`` came; the newest event of each."""
        wanted = {PREFIX + fact for fact in facts}
        async with asyncio.timeout(90):
            while not wanted <= {event.get_type() for event, _ in self.seen}:
                message = await self._queue.get(fail=False)
                if message is None:
                    await asyncio.sleep(0.05)
                    continue
                await message.ack()
                headers = {name: value for name, value in message.headers.items() if value is not None}
                wire = RabbitMQMessage(headers, message.content_type, message.body)
                self.seen.append((from_rabbitmq_event(wire), message))
        return {event.get_type().removeprefix(PREFIX): event for event, _ in self.seen}


@pytest_asyncio.fixture
async def subscribe(suite: Standalone, amqp_url: str) -> AsyncIterator[Any]:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()

        async def bind(pattern: str) -> Subscriber:
            exchange = await channel.declare_exchange("indigo.events", "topic", durable=True, passive=True)
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(exchange, pattern)
            return Subscriber(queue)

        yield bind


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def researcher(suite: Standalone, http: httpx.AsyncClient) -> Researcher:
    return Researcher(http, suite.endpoints, suite.token())


async def publish(researcher: Researcher, folder: Path, **changes: Any):
    document = json.loads((EXAMPLE / "plan.json").read_text())
    document["dmp"] |= changes
    return await researcher.publish_plan(await draft_plan(researcher, document, folder))


def validate(fact: str, data: object) -> None:
    """Against the committed schema; formats are checked, too."""
    schema = json.loads((SCHEMAS / f"{fact}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(data)


async def test_a_foreign_subscriber_follows_the_life_cycle(
    subscribe, researcher: Researcher, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    everything_published = await subscribe("*.*.published.v1")
    plan = await publish(researcher, tmp_path)
    drafts = await reserved(researcher, plan)
    await researcher.deposit(drafts["measurements"], EXAMPLE / FOLDERS["measurements"])

    def about(record_id: str) -> bool:
        return any(event.get_subject() == f"records/{record_id}" for event, _ in everything_published.seen)

    events = await everything_published.until("dmp.plan.published.v1", "repository.record.published.v1")
    while not about(drafts["measurements"]):  # the plan's own record is published, too
        everything_published.seen = [
            (event, message)
            for event, message in everything_published.seen
            if event.get_type() != PREFIX + "repository.record.published.v1"
        ]
        events |= await everything_published.until("repository.record.published.v1")

    for event, message in everything_published.seen:
        fact = event.get_type().removeprefix(PREFIX)
        validate(fact, event.get_data())
        assert event.get_specversion() == "1.0"
        assert event.get_id() == message.message_id
        assert event.get_time() is not None
        assert message.routing_key == fact
        sequence = event.get_extension("sequence")
        assert sequence.isdecimal()
        assert len(sequence) > 1  # zero-padded, so that text order is number order
        schema = await http.get(event.get_dataschema())
        assert schema.json() == json.loads((SCHEMAS / f"{fact}.json").read_text())

    told = events["dmp.plan.published.v1"]
    assert told.get_source() == researcher.at.dmp
    assert told.get_subject() == f"plans/{plan.plan_id}"
    assert {output["key"] for output in told.get_data()["plan"]["outputs"]} == set(FOLDERS)
    record = events["repository.record.published.v1"]
    assert record.get_source() == researcher.at.repository
    assert [file["key"] for file in record.get_data()["record"]["files"]] == ["penguins.csv"]


async def test_the_pattern_chooses_the_service(subscribe, researcher: Researcher, tmp_path: Path) -> None:
    pid_only = await subscribe("pid.#")
    await publish(researcher, tmp_path)
    await pid_only.until("pid.identifier.minted.v1", "pid.doi.registered.v1")
    assert {event.get_source() for event, _ in pid_only.seen} == {researcher.at.pid}
    for event, _ in pid_only.seen:
        validate(event.get_type().removeprefix(PREFIX), event.get_data())


async def test_a_large_plan_comes_as_a_reference_anyone_can_follow(
    subscribe, researcher: Researcher, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    plans = await subscribe("dmp.plan.published.v1")
    plan = await publish(researcher, tmp_path, description="long " * 20_000)
    event = (await plans.until("dmp.plan.published.v1"))["dmp.plan.published.v1"]
    assert event.get_subject() == f"plans/{plan.plan_id}"
    assert event.get_data() is None
    answer = await http.get(event.get_extension("dataref"))
    assert answer.status_code == 200
    validate("dmp.plan.published.v1", answer.json())
    assert answer.json()["plan"]["plan_id"] == plan.plan_id
