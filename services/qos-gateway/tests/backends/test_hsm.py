"""dCache, WLCG Tape REST and StoRM: the contract over fakes that speak their formats, and what they do wrong."""

import asyncio
import json

import httpx
import pytest
import pytest_asyncio
from indigo_contracts.qos import Locality
from indigo_kernel.db.engine import create_engine
from indigo_kernel.problems import Unavailable
from indigo_qos_gateway.adapters.classes import NAMES, TAPE_IS_KEPT, Place
from indigo_qos_gateway.adapters.db.stage_requests import SqlStageRequests
from indigo_qos_gateway.adapters.hsm import dcache, storm, tape_rest
from indigo_qos_gateway.adapters.hsm.backend import HsmBackend, seen_at
from indigo_qos_gateway.adapters.hsm.files import RemoteFiles
from indigo_qos_gateway.adapters.http.credentials import HeaderAuth
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.http.webdav import WebDav
from indigo_qos_gateway.domain.errors import StorageDamage
from indigo_qos_gateway.domain.storage import Progress, StepState
from indigo_testing.backend_contract import DATA, BackendContract, all_of, bring, chunked
from indigo_testing.fakes.dcache import DCache
from indigo_testing.fakes.library import Library
from indigo_testing.fakes.tape import Storm, TapeRest
from indigo_testing.faults import FaultyTransport
from starlette.responses import JSONResponse

HOST = "http://storage.example.org"


class System:
    """A back-end, the fake behind it, and the transport between them."""

    def __init__(self, directory, make, requests=None):
        self.requests = requests
        self.library = Library(directory / "files/vo", moves=True)
        self.library.root = directory / "files"
        self.fake, kind, ways, self.manager = make(self, directory)
        self.transport = FaultyTransport(httpx.ASGITransport(self.fake))
        (directory / "token").write_text("secret\n")
        self.kind, self.ways, self.token = kind, ways, directory / "token"
        self.backend = self.again()

    def again(self):
        """The back-end of a process that was just started."""
        remote = Remote("tape", transport=self.transport, auth=HeaderAuth(self.token, "token", ""))
        manager = self.manager(remote)
        note = getattr(manager, "note_content", None)
        files = RemoteFiles(WebDav(remote, HOST + "/vo"), note)
        return HsmBackend("tape", self.kind, files, manager, self.ways, Place("Ifca"), again_seconds=0.001)

    def evict(self, path):
        flags = self.library.at("/vo" + path)
        flags.disk, flags.tape, flags.pinned = False, True, False


def dcache_system(system, directory):
    system.library.moves = False
    fake = DCache(system.library)
    return (
        fake,
        "dCache",
        TAPE_IS_KEPT,
        lambda remote: dcache.DCacheManager(remote, HOST + "/api/v1", "/vo", together_seconds=0.01),
    )


def tape_system(system, directory):
    fake = TapeRest(system.library)

    def manager(remote):
        return tape_rest.TapeRestManager("tape", remote, HOST + "/api/v1", "/vo", system.requests)

    return fake, "Tape", TAPE_IS_KEPT, manager


def storm_system(system, directory):
    fake = Storm(system.library, "secret")
    return fake, "StoRM", storm.WAYS, lambda remote: storm.StormManager(remote, HOST + "/rest", "/vo", "vo")


class HsmContract(BackendContract):
    make = None

    @pytest.fixture
    def system(self, tmp_path):
        return System(tmp_path, type(self).make)

    @pytest.fixture
    def backend(self, system):
        self.system = system
        return system.backend

    @pytest.fixture
    def faults(self, system):
        return system.transport.faults()

    async def force(self, backend, path, name):
        assert name == "TapeOnly"
        self.system.evict(path)

    async def test_no_reader_ever_made_the_door_recall(self, backend, system):
        await backend.write("/file", chunked(DATA))
        system.evict("/file")
        with pytest.raises(Exception, match="tape"):
            await all_of(backend, "/file")
        assert system.library.door_recalls == 0

    async def test_a_step_whose_end_was_only_seen_is_over(self, backend, system):
        await backend.write("/file", chunked(DATA))
        await backend.start("/file", "DiskAndTape")
        flags = system.library.at("/vo/file")
        flags.disk = flags.tape = flags.pinned = True
        assert (await backend.status("/file")).storage_class == "DiskAndTape"
        system.evict("/file")
        assert (await bring(backend, "/file", "DiskAndTape")).state is StepState.DONE

    @pytest.mark.parametrize("locality", [Locality.NONE, Locality.LOST, Locality.UNAVAILABLE])
    async def test_nobody_waits_for_a_file_that_is_gone(self, backend, system, locality):
        await backend.write("/file", chunked(DATA))
        handle = await backend.start("/file", "DiskAndTape")

        async def seen(path):
            return seen_at(locality)

        backend._manager.seen = seen
        async with asyncio.timeout(10):
            progress = await backend.poll("/file", handle, 300)
        assert (progress.state, progress.error) == (StepState.FAILED, f"/file is {locality.value} in tape")

    async def test_a_new_file_of_the_same_name_has_no_step_of_the_old_one(self, backend, system):
        await backend.write("/box/file", chunked(DATA))
        old = await backend.start("/box/file", "DiskAndTape")
        await backend.delete("/box")
        await backend.write("/box/file", chunked(DATA))
        assert await backend.start("/box/file", "DiskAndTape") != old

    async def test_a_lost_file_is_damage(self, backend, system):
        await backend.write("/file", chunked(DATA))
        flags = system.library.at("/vo/file")
        flags.disk = flags.tape = False
        assert (await backend.status("/file")).locality is Locality.LOST
        with pytest.raises(StorageDamage):
            await backend.digest("/file")


class TestDCache(HsmContract):
    make = dcache_system

    async def test_what_failed_says_why(self, backend, system):
        await backend.write("/file", chunked(DATA))
        system.fake.fails_with = "no pool is writable"
        progress = await bring(backend, "/file", "TapeOnly")
        assert (progress.state, progress.error) == (StepState.FAILED, "no pool is writable")

    async def test_a_success_that_did_nothing_is_none(self, backend, system):
        await backend.write("/file", chunked(DATA))
        system.fake.lies = True
        handle = await backend.start("/file", "DiskAndTape")
        assert (await backend.poll("/file", handle, 0.05)).state is StepState.RUNNING
        assert (await backend.status("/file")).storage_class == "DiskOnly"

    async def test_a_quality_without_the_bytes_is_not_believed(self, backend, system):
        await backend.write("/file", chunked(DATA))
        system.fake.qos["/vo/file"] = "tape"
        assert (await backend.status("/file")).storage_class == "DiskOnly"

    async def asked_together(self, backend, paths, target):
        """The handles of changes that are asked for at the same time."""
        for path in paths:
            await backend.write(path, chunked(DATA))
        for each in backend._manager._rounds.values():
            each.seconds = 1.0  # until all have asked
        return await asyncio.gather(*(backend.start(path, target) for path in paths))

    async def test_changes_asked_for_together_are_one_request_with_a_state_for_each(self, backend, system):
        paths = [f"/run/{number}" for number in range(7)]
        (request,) = set(await self.asked_together(backend, paths, "DiskAndTape"))
        (bulk,) = system.fake.requests.values()
        assert sorted(each["target"] for each in bulk["targets"]) == ["/vo" + path for path in paths]
        system.fake.page = 3
        await system.backend._files._tree.delete("/run/5")
        system.transport.requests.clear()
        progress = dict(
            zip(paths, await asyncio.gather(*(backend.poll(path, request, 5) for path in paths)), strict=True)
        )
        assert progress.pop("/run/5") == Progress(StepState.FAILED, "No such file")
        assert {each.state for each in progress.values()} == {StepState.DONE}
        looks = [each.url for each in system.transport.requests if "bulk-requests" in each.url.path]
        assert {each.params["offset"] for each in looks} == {"0", "4", "7"}
        assert len(looks) <= 3 * 4, "a look tells everyone who waits"

    async def test_different_targets_are_different_requests(self, backend, system):
        targets = {"/a": "DiskAndTape", "/b": "TapeOnly"}
        for path in targets:
            await backend.write(path, chunked(DATA))
        done = await asyncio.gather(*(bring(backend, path, target) for path, target in targets.items()))
        assert {each.state for each in done} == {StepState.DONE}
        assert {path: (await backend.status(path)).storage_class for path in targets} == targets
        assert len(system.fake.requests) == 2

    async def test_who_is_cancelled_costs_the_others_of_a_request_another_start(self, backend):
        first, other = "/first", "/other"
        (request,) = set(await self.asked_together(backend, [first, other], "DiskAndTape"))
        await backend.cancel(first, request)
        assert (await backend.poll(other, request, 5)).state is StepState.UNKNOWN
        assert (await bring(backend, other, "DiskAndTape")).state is StepState.DONE
        assert (await backend.status(first)).storage_class == "DiskOnly"

    async def test_the_checksum_stays_known_on_tape(self, backend):
        content = await backend.write("/file", chunked(DATA))
        await bring(backend, "/file", "TapeOnly")
        assert await backend.digest("/file") == content.sha256


class TestTapeRest(HsmContract):
    make = tape_system

    @pytest_asyncio.fixture
    async def system(self, tmp_path, database):
        engine = create_engine(database, application="test")
        async with engine.begin() as conn:
            await conn.exec_driver_sql("TRUNCATE stage_requests")
        yield System(tmp_path, tape_system, SqlStageRequests(engine))
        await engine.dispose()

    async def test_a_service_may_say_only_what_is_on_disk(self, backend, system):
        """As StoRM's does: no states, and times in seconds."""
        shown = system.fake._shown

        def in_storms_words(identifier):
            told = json.loads(shown(identifier).body)
            files = [{"path": each["path"], "onDisk": each["state"] == "COMPLETED"} for each in told["files"]]
            return JSONResponse({"id": identifier, "createdAt": 1_795_349_314, "files": files})

        system.fake._shown = in_storms_words
        await backend.write("/file", chunked(DATA))
        system.evict("/file")
        assert (await bring(backend, "/file", "DiskAndTape")).state is StepState.DONE

    async def test_a_recall_that_fails_says_why(self, backend, system):
        await backend.write("/file", chunked(DATA))
        system.evict("/file")
        system.fake.fails_with = "tape X00123 is broken"
        assert (await bring(backend, "/file", "DiskAndTape")).error == "tape X00123 is broken"

    async def test_a_staged_file_is_released_before_it_goes(self, backend, system):
        await backend.write("/file", chunked(DATA))
        system.evict("/file")
        await bring(backend, "/file", "DiskAndTape")
        assert system.library.at("/vo/file").pinned
        await bring(backend, "/file", "TapeOnly")
        assert not system.library.at("/vo/file").pinned

    async def test_a_restarted_gateway_goes_on_with_the_same_request(self, backend, system):
        await backend.write("/file", chunked(DATA))
        system.evict("/file")
        request = await backend.start("/file", "DiskAndTape")
        restarted = system.again()
        assert await restarted.start("/file", "DiskAndTape") == request
        assert (await bring(restarted, "/file", "DiskAndTape")).state is StepState.DONE
        assert list(system.fake.requests) == [request]
        again = system.again()
        await bring(again, "/file", "TapeOnly")
        assert not system.library.at("/vo/file").pinned

    async def test_requests_for_what_is_deleted_are_forgotten(self, backend, system):
        for path in ("/box/file", "/box/deep/file", "/boxer"):
            await backend.write(path, chunked(DATA))
            system.evict(path)
            await bring(backend, path, "DiskAndTape")
        await backend.delete("/box")
        assert await system.requests.find("tape", "/box/file") is None
        assert await system.requests.find("tape", "/box/deep/file") is None
        assert await system.requests.find("tape", "/boxer") is not None
        await backend.delete("/boxer")
        assert await system.requests.find("tape", "/boxer") is None

    async def test_a_request_that_failed_is_not_waited_for_for_ever(self, backend, system):
        await backend.write("/file", chunked(DATA))
        system.evict("/file")
        system.fake.fails_with = "no drive"
        assert (await bring(backend, "/file", "DiskAndTape")).state is StepState.FAILED
        system.fake.fails_with = None
        assert (await bring(system.again(), "/file", "DiskAndTape")).state is StepState.DONE
        assert len(system.fake.requests) == 2


class TestStorm(HsmContract):
    make = storm_system

    async def test_a_recall_is_visible_while_it_runs(self, backend, system):
        await backend.write("/file", chunked(DATA))
        system.evict("/file")
        await backend.start("/file", "DiskAndTape")
        assert (await backend.status("/file")).recalling


TEST_POLICY = {
    "name": "TEST",
    "states": [
        {"duration": "P10D", "media": [{"storageMedium": "DISK", "numberOfCopies": 2}]},
        {
            "duration": "P1M",
            "media": [
                {"storageMedium": "DISK", "numberOfCopies": 1},
                {"storageMedium": "HSM", "numberOfCopies": 1},
            ],
        },
        {"media": [{"storageMedium": "HSM", "numberOfCopies": 1}]},
    ],
}


@pytest.fixture
def with_policy(tmp_path):
    """A dCache with the policy TEST, and a back-end that offers it."""
    system = System(tmp_path, dcache_system)
    system.fake.policies["TEST"] = TEST_POLICY
    remote = Remote("tape", transport=system.transport)
    manager = dcache.DCacheManager(remote, HOST + "/api/v1", "/vo", None, ("TEST",))
    files = RemoteFiles(WebDav(remote, HOST + "/vo"), manager.note_content, (*NAMES, "TEST"))
    more = {"TEST": {"cdmi_latency": "100"}}
    ways = dcache.ways(("TEST",))
    backend = HsmBackend("tape", "dCache", files, manager, ways, Place(), again_seconds=0.001, more=more)
    return system, backend


async def test_a_policy_of_dcache_is_a_class_and_its_state_is_told(with_policy):
    system, backend = with_policy
    await backend.write("/file", chunked(DATA))
    assert (await bring(backend, "/file", "TEST")).state is StepState.DONE
    localities = [Locality.DISK, Locality.DISK_AND_TAPE, Locality.TAPE]
    for state, locality in enumerate(localities):
        system.fake.set_policy("/vo/file", "TEST", state)
        status = await backend.status("/file")
        assert (status.storage_class, status.locality) == ("TEST", locality)
        assert status.provided["indigo_qos_policy_state"] == str(state)
        assert status.provided["cdmi_latency"] == "100"
    assert (await bring(backend, "/file", "DiskAndTape")).state is StepState.DONE
    assert "/vo/file" not in system.fake.policy_of


async def test_a_policy_that_is_not_kept_is_not_believed(with_policy):
    system, backend = with_policy
    await backend.write("/file", chunked(DATA))
    system.fake.policy_of["/vo/file"] = ("TEST", 1)  # its copy on tape is not made yet
    assert (await backend.status("/file")).storage_class == "DiskOnly"
    for state in (-1, 3, 10**30):
        system.fake.policy_of["/vo/file"] = ("TEST", state)
        assert (await backend.status("/file")).storage_class == "DiskOnly"


async def test_containers_may_have_a_policy_and_a_policy_that_is_gone_is_told(with_policy):
    system, backend = with_policy
    await backend.make_container("/box")
    assert (await bring(backend, "/box", "TEST")).state is StepState.DONE
    assert (await backend.status("/box")).storage_class == "TEST"
    assert (await backend.health()).usable
    again = dcache.DCacheManager(
        Remote("tape", transport=system.transport), HOST + "/api/v1", "/vo", None, ("GONE",)
    )
    with pytest.raises(Unavailable, match="tape has no policy GONE"):
        await again.check()
