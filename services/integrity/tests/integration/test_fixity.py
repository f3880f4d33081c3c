"""Files are read back again and again, and damage is told."""

from __future__ import annotations

from datetime import timedelta

from indigo_contracts.repository import RecordState, RecordWithdrawn
from indigo_integrity.consumers.fixity_sweeper import FixitySweeper

DAY = timedelta(days=1)


async def sweep(integrity) -> int:
    sweeper = integrity.runtime.workers[1]
    assert isinstance(sweeper, FixitySweeper)
    return await sweeper.sweep()


async def test_files_are_read_back_when_due(integrity) -> None:
    await integrity.publish("r1", {"a.csv": "x"}, output=None)
    assert await integrity.work_off() == 0
    integrity.clock.advance(29 * DAY)
    assert await sweep(integrity) == 0
    integrity.clock.advance(2 * DAY)
    assert await sweep(integrity) == 1
    assert await sweep(integrity) == 0
    await integrity.work_off()
    run = await integrity.only()
    assert (run["trigger"], run["test"], run["level"], run["verdict"]) == (
        "schedule",
        "fixity",
        "existence",
        "pass",
    )
    integrity.clock.advance(31 * DAY)
    assert await sweep(integrity) == 1


async def test_damage_turns_the_plans_own_test(integrity) -> None:
    await integrity.plan({"tests": [{"key": "there", "level": "existence"}]})
    record = await integrity.publish("r1", {"a.csv": "x"})
    await integrity.work_off()
    integrity.repository.files["r1"]["a.csv"] = b"y"
    integrity.clock.advance(31 * DAY)
    await sweep(integrity)
    await integrity.work_off()
    first, second = await integrity.finished()
    assert (first["verdict"], second["verdict"]) == ("pass", "fail")
    assert (second["test"], second["trigger"]) == ("there", "schedule")
    (failed,) = await integrity.facts("integrity.fixity.failed.v1")
    assert failed["record_id"] == "r1"
    assert failed["plan"] == {"plan_id": "p1", "edition": 1, "output": "water"}
    (file,) = failed["files"]
    assert file["expected_sha256"] == record.files[0].sha256
    assert file["problem"] == "changed"


async def test_withdrawn_records_are_left_alone(integrity) -> None:
    record = await integrity.publish("r1", {"a.csv": "x"}, output=None)
    gone = record.model_copy(update={"state": RecordState.WITHDRAWN, "version": 9})
    await integrity.deliver(RecordWithdrawn(record=gone, reason="x"))
    integrity.clock.advance(31 * DAY)
    assert await sweep(integrity) == 0


async def test_another_reading_postpones_the_next(integrity) -> None:
    await integrity.publish("r1", {"a.csv": "x"}, output=None)
    integrity.clock.advance(20 * DAY)
    answer = await integrity.http.post(
        "/api/fixity", json={"record_id": "r1"}, headers=integrity.auth("integrity:run")
    )
    assert answer.status_code == 202
    await integrity.work_off()
    integrity.clock.advance(11 * DAY)
    assert await sweep(integrity) == 0
    integrity.clock.advance(20 * DAY)
    assert await sweep(integrity) == 1


async def test_an_error_is_no_reading(start_integrity) -> None:
    async with start_integrity(attempts=1) as integrity:
        await integrity.publish("r1", {"a.csv": "x"}, output=None)
        integrity.repository.down = True
        integrity.clock.advance(31 * DAY)
        await sweep(integrity)
        await integrity.work_off()
        assert (await integrity.only())["verdict"] == "error"
        assert await integrity.facts("integrity.fixity.failed.v1") == []
