from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from indigo_kernel.auth.dependency import require
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.bus.ports import DeadLetter, Message
from indigo_kernel.db.dead_letters import sink
from indigo_kernel.db.feed import BATCH_TYPE, events_router
from indigo_kernel.db.relay import EVENTS, OUTBOX
from indigo_kernel.db.uow import Database
from indigo_kernel.health import HealthChecks
from indigo_kernel.http.app import create_api
from indigo_testing.bus_contract import Facts, Seen
from sqlalchemy.ext.asyncio import AsyncEngine


class World:
    def __init__(self, database: Database, bus: MemoryBus, client: httpx.AsyncClient) -> None:
        self.engine: AsyncEngine = database.engine
        self.bus = bus
        self.client = client

    async def publish(self, messages: Sequence[Message], start: int = 1) -> None:
        async with self.engine.begin() as conn:
            for position, m in enumerate(messages, start):
                row = {"event_id": m.id, "fact": m.routing_key, "subject": m.subject, "body": m.body.decode()}
                await conn.execute(sa.insert(EVENTS).values(position=position, **row))


class Tokens:
    """Reads the scope off the token itself."""

    async def bearer(self, credential: str) -> Principal:
        return Principal("https://iss.example.org", "someone", scopes=frozenset({credential}))


@pytest_asyncio.fixture
async def world(database: Database) -> AsyncIterator[World]:
    bus = MemoryBus()
    await bus.start()
    app = create_api(
        title="Test",
        service="test",
        version="1.0.0",
        routers=[events_router(database.engine, bus, clock=database.clock, operator=require(Scope.OPERATOR))],
        ops=HealthChecks(),
        public_url="https://api.example.org/dmp",
        cursor_key=b"k" * 32,
    )
    app.state.authenticator = Tokens()
    headers = {"authorization": "Bearer operator"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="https://api.example.org", headers=headers
    ) as client:
        yield World(database, bus, client)
    await bus.stop()


@pytest.fixture
def facts() -> Facts:
    return Facts()


async def test_pages_follow_each_other_by_link_and_by_next(world: World, facts: Facts) -> None:
    messages = [facts.message(n=n, nothing=None) for n in range(5)]
    await world.publish(messages)
    first = await world.client.get("/events", params={"limit": 3})
    assert [item["id"] for item in first.json()["items"]] == [m.id for m in messages[:3]]
    assert first.json()["items"][0]["data"] == {"n": 0, "nothing": None}
    assert "dataref" not in first.json()["items"][0]
    assert first.json()["next"] == 3
    assert first.links["next"]["url"] == "https://api.example.org/dmp/events?after=3&limit=3"
    second = await world.client.get("/events", params={"limit": 3, "after": 3})
    assert (len(second.json()["items"]), second.json()["next"]) == (2, 5)
    assert "next" not in second.links
    last = await world.client.get("/events", params={"after": 5})
    assert last.json() == {"items": [], "next": 5}


async def test_filters_by_type_and_subject_and_still_moves_on(world: World, facts: Facts) -> None:
    wanted = facts.message("plan.created", subject="plans/1")
    await world.publish([facts.message("plan.updated", subject="plans/1"), wanted, facts.message("plan.created")])
    for name in (wanted.routing_key, facts.envelope("plan.created").type):
        page = (await world.client.get("/events", params={"type": name, "subject": "plans/1"})).json()
        assert [item["id"] for item in page["items"]] == [wanted.id]
        assert page["next"] == 3


async def test_the_batch_format_when_it_is_asked_for(world: World, facts: Facts) -> None:
    messages = [facts.message(n=n) for n in range(2)]
    await world.publish(messages)
    answer = await world.client.get("/events", headers={"accept": BATCH_TYPE})
    assert answer.headers["content-type"] == BATCH_TYPE
    assert answer.content == b"[" + messages[0].body + b"," + messages[1].body + b"]"
    assert answer.headers["indigo-feed-next"] == "2"


async def test_data_is_found_before_and_after_the_move(world: World, facts: Facts) -> None:
    moved, waiting = facts.message(a=1), facts.message(a=2)
    await world.publish([moved])
    async with world.engine.begin() as conn:
        row = {"event_id": waiting.id, "fact": "x", "subject": "s", "body": waiting.body.decode()}
        await conn.execute(sa.insert(OUTBOX).values(**row))
    assert (await world.client.get(f"/events/{moved.id}/data")).json() == {"a": 1}
    assert (await world.client.get(f"/events/{waiting.id}/data")).json() == {"a": 2}
    missing = await world.client.get("/events/none/data")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/events", None, 401),
        ("GET", "/events", "dmp:write", 200),
        ("GET", "/dead-letters", None, 401),
        ("GET", "/dead-letters", "dmp:write", 403),
        ("GET", "/dead-letters", "operator", 200),
        ("POST", "/dead-letters/1/replay", "dmp:write", 403),
        ("POST", "/dead-letters/1/replay", "operator", 404),
    ],
)
async def test_who_may_read_what(world: World, method: str, path: str, token: str | None, status: int) -> None:
    del world.client.headers["authorization"]
    headers = {"authorization": f"Bearer {token}"} if token else {}
    assert (await world.client.request(method, path, headers=headers)).status_code == status


def dead(facts: Facts, queue: str = "dmp.plans", message: Message | None = None, detail: str = "no") -> DeadLetter:
    return DeadLetter(queue, message or facts.message(), "KeyError", detail, 4)


async def test_the_sink_keeps_each_dead_letter_once(world: World, facts: Facts) -> None:
    keep, letter = sink(world.engine), dead(facts)
    await keep(letter)
    await keep(letter)
    await keep(replace(letter, queue="pid.plans"))
    items = (await world.client.get("/dead-letters")).json()["items"]
    assert sorted(item["queue"] for item in items) == ["dmp.plans", "pid.plans"]
    assert items[0] | {"id": "", "died_at": "", "queue": ""} == {
        "id": "",
        "queue": "",
        "event_id": letter.message.id,
        "routing_key": letter.message.routing_key,
        "subject": letter.message.subject,
        "body": letter.message.body.decode(),
        "error_type": "KeyError",
        "error_detail": "no",
        "attempts": 4,
        "died_at": "",
        "replayed_at": None,
    }


async def test_dead_letters_are_listed_latest_first_in_pages(world: World, facts: Facts) -> None:
    letters = [dead(facts, queue="a.b" if n % 2 else "c.d") for n in range(6)]
    for letter in letters:
        await sink(world.engine)(letter)
    got: list[str] = []
    url = "/dead-letters?queue=a.b&limit=2"
    while url:
        answer = await world.client.get(url)
        got += [item["event_id"] for item in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url", "").replace("/dmp/", "/")
    assert got == [letter.message.id for letter in reversed(letters) if letter.queue == "a.b"]


async def test_replay_gives_it_to_its_queue_and_marks_it(world: World, facts: Facts) -> None:
    one, two = Seen(), Seen()
    subscription = facts.subscription(one, name="one")
    await world.bus.subscribe([subscription, facts.subscription(two, name="two")])
    letter = dead(facts, queue=subscription.queue)
    await sink(world.engine)(letter)
    [item] = (await world.client.get("/dead-letters")).json()["items"]
    answer = await world.client.post(f"/dead-letters/{item['id']}/replay")
    assert answer.status_code == 200
    assert answer.json()["replayed_at"] is not None
    assert (await one.count(1))[0].id == letter.message.id
    assert not two.items
    # Dead again: it is waiting for an operator again.
    await sink(world.engine)(replace(letter, error_detail="still no"))
    [item] = (await world.client.get("/dead-letters")).json()["items"]
    assert (item["replayed_at"], item["error_detail"]) == (None, "still no")


async def test_a_replay_the_bus_refuses_is_503_and_changes_nothing(world: World, facts: Facts) -> None:
    await sink(world.engine)(dead(facts, queue=f"{facts.tag}.gone"))
    [item] = (await world.client.get("/dead-letters")).json()["items"]
    assert (await world.client.post(f"/dead-letters/{item['id']}/replay")).status_code == 503
    assert (await world.client.get("/dead-letters")).json()["items"] == [item]
    assert (await world.client.post("/dead-letters/none/replay")).status_code == 404


@pytest.mark.parametrize("body", [b"\xff\x00\x01", b'{"a":"\x00"}', b"base64:odd", b'{"a":"\\ud800"}', b""])
async def test_any_bytes_survive_the_keeping(world: World, facts: Facts, body: bytes) -> None:
    broken, again = facts.message(), Seen()
    subscription = facts.subscription(Seen())
    await world.bus.subscribe([subscription], again)
    message = replace(broken, id="odd\x00id", body=body)
    await sink(world.engine)(dead(facts, subscription.queue, message, detail="with \x00 and \ud800"))
    [item] = (await world.client.get("/dead-letters")).json()["items"]
    assert (await world.client.post(f"/dead-letters/{item['id']}/replay")).status_code == 200
    assert (await again.count(1))[0].message.body == body
