"""The joined back-end does what every back-end does: its objects at home, and those another back-end took over."""

import asyncio
import hashlib

import pytest
from indigo_contracts.qos import Locality
from indigo_kernel.problems import Conflict
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.domain.storage import Progress, StepState
from indigo_testing.backend_contract import TAPE_CLASSES, BackendContract, all_of, bring, chunked

CLASSES = {**TAPE_CLASSES, **{f"far.{name}": each for name, each in TAPE_CLASSES.items()}}


class TestJoinedBackend(BackendContract):
    classes = CLASSES

    @pytest.fixture
    async def backend(self, start_qos, two):
        async with start_qos(**two) as qos:
            yield qos.runtime.api.state.gateway.gateway.mounts.at("/").backend

    @pytest.mark.parametrize("target", ["DiskAndTape", "far.DiskAndTape"])
    async def test_starting_twice_is_one_step_and_another_target_is_refused(self, backend, target, monkeypatch):
        async def running(self, path, handle, patience):
            return Progress(StepState.RUNNING)

        async def hanging(self, path, chunks, expected=None):
            await asyncio.Event().wait()

        await backend.write("/file", chunked(b"data"))
        monkeypatch.setattr(PosixBackend, "poll", running)
        monkeypatch.setattr(PosixBackend, "write", hanging)
        first = await backend.start("/file", target)
        assert await backend.start("/file", target) == first
        for other in set(CLASSES) - {"DiskOnly", target, "TapeOnly"}:
            with pytest.raises(Conflict):
                await backend.start("/file", other)
        await backend.cancel("/file", first)


async def test_ranges_and_digests_of_what_is_elsewhere(start_qos, two):
    async with start_qos(**two) as qos:
        backend = qos.runtime.api.state.gateway.gateway.mounts.at("/").backend
        await backend.write("/a/f", chunked(b"0123456789"))
        await bring(backend, "/a/f", "far.DiskAndTape")
        assert await all_of(backend, "/a/f", 2, 5) == b"234"
        assert await backend.digest("/a/f") == hashlib.sha256(b"0123456789").hexdigest()
        status = await backend.status("/a/f")
        assert (status.path, status.locality, status.size) == ("/a/f", Locality.DISK_AND_TAPE, 10)
