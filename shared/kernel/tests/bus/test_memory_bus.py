from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from indigo_contracts.envelope import Envelope
from indigo_kernel.bus import journal as journal_module
from indigo_kernel.bus.consume import POISON
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.bus.ports import Message, Outcome, PermanentError, Subscription, TransientError
from indigo_kernel.clock import ManualClock
from indigo_testing.bus_contract import DELAYS, PATIENCE, BusContract, Facts, Seen

MakeBus = Callable[..., MemoryBus]


@contextlib.asynccontextmanager
async def running(bus: MemoryBus) -> AsyncIterator[MemoryBus]:
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


class TestMemoryBus(BusContract):
    @pytest_asyncio.fixture
    async def bus(self) -> AsyncIterator[MemoryBus]:
        async with running(MemoryBus(retry_delays=DELAYS)) as bus:
            yield bus


class TestMemoryBusWithJournal(BusContract):
    @pytest_asyncio.fixture
    async def bus(self, tmp_path: Path) -> AsyncIterator[MemoryBus]:
        async with running(MemoryBus(tmp_path / "bus.journal", retry_delays=DELAYS)) as bus:
            yield bus


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "bus.journal"


async def refuse(event: Envelope) -> None:
    raise TransientError("not now")


async def test_an_accepted_message_survives_a_restart_and_a_late_subscription(path: Path, facts: Facts) -> None:
    message = facts.message(text="\u2028 \x7f")
    async with running(MemoryBus(path)) as bus:
        await bus.subscribe([facts.subscription(refuse)])
        assert await bus.publish([message]) == [Outcome.ACCEPTED]
    seen = Seen()
    async with running(MemoryBus(path, retry_delays=DELAYS, clock=ManualClock())) as bus:
        # The queue is known from the journal, so a message can be routed before anybody consumes.
        later = facts.message()
        assert await bus.publish([later]) == [Outcome.ACCEPTED]
        await bus.subscribe([facts.subscription(seen)])
        assert {event.id for event in await seen.count(1)} <= {message.id, later.id}


async def test_what_was_acknowledged_is_not_delivered_after_a_restart(path: Path, facts: Facts) -> None:
    first = Seen()
    async with running(MemoryBus(path)) as bus:
        await bus.subscribe([facts.subscription(first, name="one"), facts.subscription(first, name="two")])
        await bus.publish([facts.message() for _ in range(20)])
        await first.count(40)
    again, fresh = Seen(), facts.message()
    async with running(MemoryBus(path)) as bus:
        await bus.subscribe([facts.subscription(again, name="one"), facts.subscription(again, name="two")])
        await bus.publish([fresh])
        await again.count(2)
        assert again.ids == [fresh.id, fresh.id]


async def test_retries_and_deaths_survive_a_restart(path: Path, facts: Facts) -> None:
    clock, tried = ManualClock(), Seen()

    async def handler(event: Envelope) -> None:
        await tried(event)
        if event.subject == "dead":
            raise PermanentError("for ever")
        raise TransientError("later")

    dead_one, waiting = facts.message(subject="dead"), facts.message(subject="waiting")
    async with running(MemoryBus(path, clock=clock)) as bus:
        await bus.subscribe([facts.subscription(handler)])
        await bus.publish([dead_one, waiting])
        await tried.count(2)
    seen, dead = Seen(), Seen()
    async with running(MemoryBus(path, clock=clock)) as bus:
        await bus.subscribe([facts.subscription(seen)], dead)
        assert [letter.message.id for letter in await dead.count(1)] == [dead_one.id]
        clock.advance(timedelta(seconds=4.9))
        bus.release_due()
        await bus.publish([marker := facts.message(subject="waiting")])
        await seen.count(1)
        assert seen.ids == [marker.id]
        clock.advance(timedelta(seconds=0.2))
        bus.release_due()
        await seen.count(2)
        assert seen.ids == [marker.id, waiting.id]


async def test_the_default_delays_by_the_clock(facts: Facts) -> None:
    clock, tried, dead = ManualClock(), Seen(), Seen()

    async def handler(event: Envelope) -> None:
        await tried(event)
        raise TransientError("later")

    async with running(MemoryBus(clock=clock)) as bus:
        await bus.subscribe([facts.subscription(handler)], dead)
        await bus.publish([facts.message()])
        for tries, delay in enumerate([5, 60, 900], start=1):
            await tried.count(tries)
            await asyncio.sleep(0)
            clock.advance(timedelta(seconds=delay - 1))
            bus.release_due()
            assert len(tried) == tries
            clock.advance(timedelta(seconds=1))
            bus.release_due()
        await dead.count(1)
        assert len(tried) == 4


CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from datetime import timedelta
from indigo_contracts.envelope import Envelope
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.bus.ports import Message, Outcome, Subscription

async def main() -> None:
    mode, journal, tag, limit = sys.argv[1:]
    bus = MemoryBus(Path(journal), delivery_limit=int(limit))
    await bus.start()
    async def handler(event: Envelope) -> None:
        print("handling", event.id, flush=True)
        if mode == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.Event().wait()
    await bus.subscribe([Subscription(tag, "all", (f"{tag}.#",), handler)])
    while line := await asyncio.to_thread(sys.stdin.readline):
        id, key, subject, body = line.rstrip("\\n").split("\\t")
        [outcome] = await bus.publish([Message(id, key, subject, body.encode())])
        print(outcome.value, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def child(mode: str, path: Path, facts: Facts, limit: int = 20) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, mode, str(path), facts.tag, str(limit),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


def line(message: Message) -> bytes:
    return f"{message.id}\t{message.routing_key}\t{message.subject}\t{message.body.decode()}\n".encode()


def tear(path: Path, inside: str) -> None:
    """Cut the file off a little behind the last place where ``inside`` stands."""
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(inside.encode()) + 10])


def size(path: Path) -> int:
    return path.stat().st_size


async def test_sigkill_loses_nothing_accepted(path: Path, facts: Facts) -> None:
    process = await child("hang", path, facts)
    assert process.stdin is not None
    assert process.stdout is not None
    messages = [facts.message(subject=f"things/{n}") for n in range(50)]
    process.stdin.writelines(line(message) for message in messages)
    said: list[bytes] = []
    while said.count(b"accepted\n") < 50:
        said.append(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    assert sum(text.startswith(b"handling") for text in said) > 0
    seen = Seen()
    async with running(MemoryBus(path)) as bus:
        await bus.subscribe([facts.subscription(seen)])
        await seen.count(50)
        assert sorted(seen.ids) == sorted(message.id for message in messages)


async def test_a_message_that_kills_its_consumer_ends_among_the_dead(path: Path, facts: Facts) -> None:
    poison = facts.message()
    async with running(MemoryBus(path)) as bus:
        await bus.subscribe([facts.subscription(Seen())])
    for round_ in range(2):
        process = await child("die", path, facts, limit=2)
        out, _ = await asyncio.wait_for(process.communicate(line(poison) if round_ == 0 else b""), PATIENCE)
        assert process.returncode == -signal.SIGKILL
        assert f"handling {poison.id}".encode() in out
    seen, dead = Seen(), Seen()
    async with running(MemoryBus(path, delivery_limit=2)) as bus:
        await bus.subscribe([facts.subscription(seen)], dead)
        [letter] = await dead.count(1)
        assert (letter.message.id, letter.error_type) == (poison.id, POISON)
        assert not seen.items


async def test_a_second_process_is_refused_in_a_sentence(path: Path, facts: Facts) -> None:
    async with running(MemoryBus(path)):
        with pytest.raises(RuntimeError, match="in use by another process"):
            await MemoryBus(path).start()


async def test_a_torn_tail_is_tolerated(path: Path, facts: Facts) -> None:
    messages = [facts.message(subject=f"things/{n}") for n in range(3)]
    async with running(MemoryBus(path)) as bus:
        await bus.subscribe([facts.subscription(refuse)])
        await bus.publish(messages)
    tear(path, messages[2].id)
    seen = Seen()
    async with running(MemoryBus(path, clock=ManualClock())) as bus:
        await bus.subscribe([facts.subscription(seen)])
        await seen.count(2)
        assert sorted(seen.ids) == sorted(message.id for message in messages[:2])


async def test_the_journal_shrinks_again_and_keeps_what_is_owed(
    path: Path, facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_BYTES", 20_000)
    seen, clock = Seen(), ManualClock()
    owed = facts.message("owed.thing")
    async with running(MemoryBus(path, clock=clock)) as bus:
        await bus.subscribe([facts.subscription(seen, keys=("thing.*.v1",))])
        await bus.subscribe([facts.subscription(refuse, name="owing", keys=("owed.*.v1",))])
        await bus.publish([owed])
        for done in range(20):
            await bus.publish([facts.message(text="x" * 500) for _ in range(10)])
            await seen.count(10 * (done + 1))
    assert size(path) < 100_000
    got = Seen()
    async with running(MemoryBus(path, clock=clock)) as bus:
        await bus.subscribe([facts.subscription(got, name="owing", keys=("owed.*.v1",))])
        clock.advance(timedelta(seconds=5))
        bus.release_due()
        await got.count(1)
        assert got.ids == [owed.id]


async def test_a_failed_write_is_never_reported_as_accepted(
    path: Path, facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = MemoryBus(path)
    await bus.start()
    seen = Seen()
    await bus.subscribe([facts.subscription(seen)])
    assert await bus.publish([facts.message()]) == [Outcome.ACCEPTED]

    def broken(descriptor: int) -> None:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(os, "fdatasync", broken)
    assert await bus.publish([facts.message()]) == [Outcome.UNKNOWN]
    assert not bus.healthy()
    monkeypatch.undo()
    # The kernel may have dropped the pages: one good fsync later proves nothing.
    assert await bus.publish([facts.message()]) == [Outcome.UNKNOWN]
    await bus.stop()


async def test_before_start_and_after_stop_nothing_is_accepted(facts: Facts) -> None:
    bus = MemoryBus()
    assert await bus.publish([facts.message()]) == [Outcome.UNKNOWN]
    await bus.start()
    await bus.subscribe([facts.subscription(Seen())])
    await bus.stop()
    assert await bus.publish([facts.message()]) == [Outcome.UNKNOWN]


async def test_a_claim_check_is_fetched_for_the_handler(facts: Facts) -> None:
    asked, seen, dead = Seen(), Seen(), Seen()

    async def fetch(reference: str) -> dict[str, object]:
        await asked(reference)
        if len(asked) == 1:
            raise TransientError("the source is away")
        return {"large": True}

    event = facts.envelope().model_copy(update={"data": None, "dataref": "https://test.example.org/events/1/data"})
    message = Message(event.id, event.fact, event.subject, event.wire())
    async with running(MemoryBus(retry_delays=DELAYS, fetch=fetch)) as bus:
        await bus.subscribe([Subscription(facts.tag, "all", (event.fact,), seen)], dead)
        await bus.publish([message])
        [got] = await seen.count(1)
        assert got.data == {"large": True}
        assert asked.items == [event.dataref, event.dataref]
