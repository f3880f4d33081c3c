"""Back-ends that cannot, will not or do not take over: the source is untouched, and nothing is left behind."""

import asyncio
import errno
import json
from datetime import timedelta

import pytest
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.domain.errors import Busy, StorageDamage

DATA = bytes(range(256)) * 2000
FAR = "/cdmi_capabilities/dataobject/far.DiskOnly"


@pytest.fixture
def at_far(monkeypatch):
    """Has a method of the back-end ``far`` replaced."""

    def replace(name, make):
        real = getattr(PosixBackend, name)

        async def act(self, *args, **kwargs):
            return await (make(real)(self, *args, **kwargs) if self.name == "far" else real(self, *args, **kwargs))

        monkeypatch.setattr(PosixBackend, name, act)

    return replace


def full(real):
    async def write(self, path, chunks, expected=None):
        async for _ in chunks:
            raise OSError(errno.ENOSPC, "No space left on device")

    return write


def hanging(real):
    async def write(self, path, chunks, expected=None):
        async for _ in chunks:
            await asyncio.Event().wait()

    return write


def lying(real):
    async def digest(self, path):
        return "0" * 64

    return digest


def altering(real):
    async def write(self, path, chunks, expected=None):
        async def altered():
            async for chunk in chunks:
                yield chunk[:-1] + b"?"

        return await real(self, path, altered(), expected)

    return write


@pytest.mark.parametrize(
    ("method", "make", "target", "reason"),
    [
        ("write", full, "far.DiskOnly", "No space left on device"),
        ("write", hanging, "far.DiskOnly", "stood still for 0:00:00.2"),
        ("write", altering, "far.DiskOnly", "far holds SHA-256"),
        ("digest", lying, "far.DiskOnly", "far holds SHA-256 0000"),
    ],
)
async def test_the_source_is_untouched(start_qos, two, kept, at_far, method, make, target, reason):
    at_far(method, make)
    async with start_qos(**two, transition_attempts=1, transition_stall=timedelta(seconds=0.2)) as qos:
        await qos.store("/f", DATA)
        await qos.bring("/f", target)
        (name, told) = (await qos.facts())[-1]
        assert (name, told["state"]) == ("failed", "FAILED")
        assert reason in told["error"]
        found = await qos.cdmi("/f")
        assert found["capabilitiesURI"].endswith("/DiskOnly")
        assert "cdmi_capabilities_target" not in found["metadata"]
        assert kept() == {"posix": {"f": DATA}, "far": {}}
        for table in ("relocations", "places", "jobs WHERE parked_at IS NULL"):
            assert await qos.rows(f"SELECT * FROM {table}") == []


async def test_a_source_that_was_recalled_goes_back_to_tape(start_qos, two, at_far):
    async with start_qos(**two, transition_attempts=1) as qos:
        await qos.store("/f", DATA)
        await qos.bring("/f", "TapeOnly")
        at_far("write", full)
        await qos.bring("/f", "far.DiskOnly")
        assert (await qos.facts())[-1][0] == "failed"
        assert (await qos.cdmi("/f"))["capabilitiesURI"].endswith("/TapeOnly")


def copying_badly(real):
    async def write(self, path, chunks, expected=None):
        await real(self, path, chunks, expected)
        raise OSError(errno.EIO, "Input/output error")

    return write


async def test_a_copy_goes_when_its_source_is_gone(start_qos, two, kept, at_far, monkeypatch):
    real = PosixBackend.start

    async def start(self, path, target):
        if self.name == "posix" and target == "TapeOnly":
            await self.delete(path)
        return await real(self, path, target)

    async with start_qos(**two, transition_attempts=1) as qos:
        await qos.store("/f", DATA)
        await qos.bring("/f", "TapeOnly")
        monkeypatch.setattr(PosixBackend, "start", start)
        at_far("write", copying_badly)
        await qos.bring("/f", "far.DiskOnly")
        qos.clock.advance(timedelta(minutes=20))
        await qos.work_off()
        assert kept() == {"posix": {}, "far": {}}
        assert await qos.rows("SELECT * FROM jobs WHERE parked_at IS NULL") == []


@pytest.mark.parametrize("error", [Busy("/f"), StorageDamage("The tape cannot be written")])
async def test_a_copy_waits_until_its_source_is_back_on_tape(start_qos, two, kept, at_far, monkeypatch, error):
    real = PosixBackend.start

    async def start(self, path, target):
        if self.name == "posix" and target == "TapeOnly":
            raise error
        return await real(self, path, target)

    async with start_qos(**two, transition_attempts=1) as qos:
        await qos.store("/f", DATA)
        await qos.bring("/f", "TapeOnly")
        monkeypatch.setattr(PosixBackend, "start", start)
        at_far("write", copying_badly)
        await qos.bring("/f", "far.DiskOnly")
        for _ in range(12):
            qos.clock.advance(timedelta(minutes=20))
            await qos.work_off()
        monkeypatch.setattr(PosixBackend, "start", real)
        qos.clock.advance(timedelta(minutes=20))
        await qos.work_off()
        assert kept()["far"] == {}
        assert (await qos.cdmi("/f"))["capabilitiesURI"].endswith("/TapeOnly")
        assert await qos.rows("SELECT * FROM jobs WHERE parked_at IS NULL") == []


async def test_a_damaged_source_is_not_taken_over(start_qos, two, kept):
    async with start_qos(**two, transition_attempts=1) as qos:
        await qos.store("/f", b"the right bytes")
        (qos.directory / "disk/f").write_bytes(b"the wrong bytes")
        await qos.bring("/f", "far.DiskOnly")
        assert "was stored" in (await qos.facts())[-1][1]["error"]
        assert kept()["far"] == {}


async def test_one_that_is_cancelled_in_the_middle_leaves_nothing(start_qos, two, kept, at_far):
    reached, go_on = asyncio.Event(), asyncio.Event()

    def slow(real):
        async def write(self, path, chunks, expected=None):
            async def slowly():
                async for chunk in chunks:
                    yield chunk
                    reached.set()
                    await go_on.wait()

            return await real(self, path, slowly(), expected)

        return write

    at_far("write", slow)
    async with start_qos(**two) as qos:
        await qos.store("/f", DATA)
        asked = await qos.http.post(
            "/api/transitions", json={"path": "/f", "target_class": "far.DiskOnly"}, headers=qos.auth()
        )
        address = f"/api/transitions/{asked.json()['transition_id']}"
        assert asked.json()["backend"] == "far"
        running = asyncio.create_task(qos.work_off())
        async with asyncio.timeout(20):
            await reached.wait()
        shown = (await qos.http.get(address)).json()
        assert (shown["state"], shown["source_backend"], shown["bytes_total"]) == ("STARTED", "posix", len(DATA))
        busy = await qos.http.put("/f", content=b"new", headers=qos.auth())
        assert busy.status_code == 409
        assert (await qos.http.post(f"{address}/cancel", headers=qos.auth())).status_code == 202
        await running
        await qos.work_off()
        assert (await qos.http.get(address)).json()["state"] == "CANCELLED"
        assert kept() == {"posix": {"f": DATA}, "far": {}}
        assert await qos.rows("SELECT * FROM relocations") == []


async def test_many_at_once_and_one_that_is_missing(start_qos, two, kept):
    async with start_qos(**two) as qos:
        paths = [f"/box/{n}" for n in range(8)]
        for path in paths:
            await qos.store(path, path.encode())
        asked = await qos.http.post(
            "/api/transitions/bulk",
            json={"targets": [*paths, "/nothing"], "target_class": "far.DiskOnly"},
            headers=qos.auth(),
        )
        assert asked.status_code == 202
        await qos.work_off()
        state = (await qos.http.get(f"/api/transitions/bulk/{asked.json()['id']}")).json()
        assert (state["counts"]["COMPLETED"], state["counts"]["FAILED"]) == (8, 1)
        assert sorted(kept()["far"].values()) == sorted(path.encode() for path in paths)
        assert kept()["posix"] == {}


async def test_many_at_once_from_both_back_ends(start_qos, two, kept):
    async with start_qos(**two) as qos:
        paths = [f"/box/{n}" for n in range(8)]
        for path in paths:
            await qos.store(path, path.encode())
        for path in paths[::3]:
            await qos.bring(path, "far.DiskOnly")
        for target in ("DiskAndTape", "far.DiskAndTape", "far.DiskOnly", "DiskOnly"):
            body = {"targets": paths, "target_class": target}
            asked = await qos.http.post("/api/transitions/bulk", json=body, headers=qos.auth())
            await qos.work_off()
            state = (await qos.http.get(f"/api/transitions/bulk/{asked.json()['id']}")).json()
            assert state["counts"]["COMPLETED"] == 8, state
            for path in paths:
                assert (await qos.cdmi(path))["capabilitiesURI"].endswith(f"/{target}")
        assert kept()["far"] == {}
        assert kept()["posix"] == {path[1:]: path.encode() for path in paths}


async def test_many_at_once_that_fail_leave_nothing(start_qos, two, kept, at_far):
    at_far("digest", lying)
    async with start_qos(**two, transition_attempts=1) as qos:
        paths = [f"/box/{n}" for n in range(4)]
        for path in paths:
            await qos.store(path, path.encode())
        body = {"targets": paths, "target_class": "far.DiskOnly"}
        await qos.http.post("/api/transitions/bulk", json=body, headers=qos.auth())
        await qos.work_off()
        assert [name for name, _ in await qos.facts()].count("failed") == 4
        assert kept()["far"] == {}
        assert sorted(kept()["posix"].values()) == sorted(path.encode() for path in paths)


async def test_time_in_a_class_ends_at_another_back_end(start_qos, two, kept):
    async with start_qos(**two) as qos:
        metadata = {
            "cdmi_capability_lifetime": "P1D",
            "cdmi_capability_lifetime_action": f"migrate-to:{FAR}",
        }
        body = json.dumps({"value": "old", "metadata": metadata})
        headers = qos.auth() | {"content-type": "application/cdmi-object"}
        assert (await qos.http.put("/f", content=body, headers=headers)).status_code == 201
        qos.clock.advance(timedelta(days=2))
        await qos.work_off()
        assert list(kept()["far"].values()) == [b"old"]
        assert (await qos.cdmi("/f"))["capabilitiesURI"] == FAR


async def test_rules_choose_a_class_of_another_back_end(start_qos, two, kept):
    two["rules_file"].write_text(
        two["rules_file"].read_text()
        + '\n[[rule]]\nname = "abroad"\npath = "/cheap"\nwhere = "country=PT & type=disk"\n'
    )
    async with start_qos(**two) as qos:
        await qos.store("/cheap/f", DATA)
        await qos.work_off()
        assert list(kept()["far"].values()) == [DATA]
        told = (await qos.http.get("/api/explain", params={"path": "/cheap/f"})).json()
        assert (told["chosen_class"], told["chosen_backend"]) == ("far.DiskOnly", "far")
        assert (told["current_backend"], told["expected_seconds"]) == ("far", 0.0)
        assert told["expected_cost_per_month"] == pytest.approx(10 * len(DATA) / 1e12)
        backends = {each["storage_class"]: each["backend"] for each in told["considered"]}
        assert backends["DiskOnly"] == "posix"
        assert backends["far.TapeOnly"] == "far"


async def test_one_in_another_mount_goes_on_when_the_root_container_fails(start_qos, two, kept, monkeypatch):
    reached, go_on = asyncio.Event(), asyncio.Event()
    real = PosixBackend.write

    async def slow(self, path, chunks, expected=None):
        async def slowly():
            async for chunk in chunks:
                yield chunk
                reached.set()
                await go_on.wait()

        return await real(self, path, slowly() if path.startswith("/cdmi_moved") else chunks, expected)

    monkeypatch.setattr(PosixBackend, "write", slow)
    async with start_qos(**two, transition_attempts=1, transition_patience=timedelta(0)) as qos:
        await qos.store("/here", b"the right bytes")
        await qos.store("/far/there", DATA)
        (qos.directory / "disk/here").write_bytes(b"the wrong bytes")
        assert (await qos.change("/far/there", "/cdmi_capabilities/dataobject/posix.DiskOnly")).status_code == 204
        await qos.work_off()
        async with asyncio.timeout(20):
            await reached.wait()
        asked = await qos.http.post(
            "/api/transitions", json={"path": "/", "target_class": "DiskAndTape"}, headers=qos.auth()
        )
        address = f"/api/transitions/{asked.json()['transition_id']}"
        assert (await qos.http.get(address)).json()["bytes_total"] is None
        while (await qos.http.get(address)).json()["state"] in {"SUBMITTED", "STARTED"}:
            qos.clock.advance(timedelta(seconds=10))
            await qos.work_off()
        assert (await qos.http.get(address)).json()["state"] == "FAILED"
        assert [row.path for row in await qos.rows("SELECT path FROM relocations")] == ["/far/there"]
        go_on.set()
        while "cdmi_capabilities_target" in (await qos.cdmi("/far/there"))["metadata"]:
            qos.clock.advance(timedelta(seconds=10))
            await qos.work_off()
        assert DATA in kept()["posix"].values()
