"""A gateway with a second back-end from a file of mounts: one tree, and trouble in one part of it."""

import pytest
import pytest_asyncio
from indigo_contracts.dmp import StoragePromise
from indigo_kernel.http.server import listen, serving
from indigo_testing.fakes.dcache import DCache
from indigo_testing.fakes.library import Library

FILE = """
[[mount]]
prefix = "/fast"
name = "fast"
type = "gpfs"
directory = "{files}"
file_system = "fs1"
programs = "{programs}"
landing_class = "Fast"
classes.Fast = {{ pool = "system", redundancy = 2 }}
classes.Large = {{ pool = "capacity" }}
"""


@pytest.fixture
def programs(make_programs):
    return make_programs("gpfs.py", ("mmlsattr", "mmchattr", "mmlspool", "mmapplypolicy"))


@pytest.fixture
def mounts_file(programs, tmp_path):
    path = tmp_path / "mounts.toml"
    path.write_text(FILE.format(files=programs.files, programs=programs.directory))
    return path


async def test_both_back_ends_are_one_tree(start_qos, mounts_file):
    async with start_qos(mounts_file=mounts_file) as qos:
        await qos.store("/here", b"on disk")
        await qos.store("/fast/there", b"in a pool")
        assert (await qos.cdmi("/"))["children"] == ["fast", "here"]
        assert (await qos.cdmi("/fast"))["children"] == ["there"]
        await qos.bring("/fast/there", "Large")
        found = await qos.cdmi("/fast/there")
        assert found["capabilitiesURI"] == "/cdmi_capabilities/dataobject/Large"
        assert (await qos.change("/here", "/cdmi_capabilities/dataobject/Large")).status_code == 400


async def test_a_back_end_in_trouble_leaves_the_others_alone(start_qos, mounts_file, programs):
    async with start_qos(mounts_file=mounts_file) as qos:
        await qos.store("/here", b"on disk")
        await qos.store("/fast/there", b"in a pool")
        with programs.broken():
            assert (await qos.http.get("/fast/there")).status_code == 503
            await qos.bring("/here", "TapeOnly")
            states = {each["name"]: each["usable"] for each in (await qos.http.get("/api/backends")).json()}
            assert states == {"fast": False, "posix": True}
        assert (await qos.http.get("/fast/there")).status_code == 200


async def test_where_files_are_is_told_of_each_by_itself(start_qos, mounts_file, programs):
    async with start_qos(mounts_file=mounts_file) as qos:
        await qos.store("/here", b"on disk")
        await qos.store("/fast/there", b"in a pool")

        async def told(*paths):
            auth = qos.auth("storage.poll:/")
            answer = await qos.http.post("/api/v1/archiveinfo", json={"paths": paths}, headers=auth)
            assert answer.status_code == 200, answer.text
            return answer.json()

        with programs.broken():
            here, there = await told("/here", "/fast/there")
        assert here == {"path": "/here", "locality": "DISK"}
        assert there["path"] == "/fast/there"
        assert there["error"]
        assert "locality" not in there
        refused, here = await told("/.indigo/f", "/here")
        assert refused["error"]
        assert here["locality"] == "DISK"


async def test_a_record_goes_where_its_plan_says(start_qos, mounts_file, make_plan):
    async with start_qos(mounts_file=mounts_file) as qos:
        promise = StoragePromise(storage_class="Large", storage_type="GPFS")
        record = qos.repository.record("r1", {"data.csv": b"1,2,3"})
        await qos.publish(make_plan(data=promise), record)
        await qos.work_off()
        (name, told) = (await qos.facts())[-1]
        assert (name, told["backend"]) == ("completed", "fast")
        assert [each["path"] for each in told["objects"]] == ["/fast/records/r1/data.csv"]


async def test_a_gateway_without_storage_does_not_start(start_qos):
    with pytest.raises(ValueError, match="No storage: set INDIGO_QOS_GATEWAY_POSIX_DISK_DIR"):
        async with start_qos(posix_disk_dir=None):
            pass


async def test_a_mount_does_not_hide_the_gateways_own_addresses(start_qos, mounts_file):
    mounts_file.write_text(mounts_file.read_text().replace('"/fast"', '"/api"'))
    with pytest.raises(Exception, match="/api is used by the gateway itself"):
        async with start_qos(mounts_file=mounts_file):
            pass


@pytest_asyncio.fixture
async def dcache(tmp_path):
    """A dCache, and the file that mounts it below ``/tape``."""
    (tmp_path / "token").write_text("secret")
    (tmp_path / "files/vo").mkdir(parents=True)
    fake = DCache(Library(tmp_path / "files", moves=False))
    bound = listen("127.0.0.1", 0)
    async with serving(fake, bound):
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        path = tmp_path / "mounts.toml"
        path.write_text(
            f'[[mount]]\nprefix = "/tape"\nname = "dcache"\ntype = "dcache"\nbase = "/vo"\nlook_seconds = 0.01\n'
            f'door_url = "{url}"\napi_url = "{url}/api/v1"\ntoken_file = "{tmp_path / "token"}"\n'
        )
        yield fake, path


async def test_the_files_of_a_container_go_to_dcache_in_few_requests(start_qos, dcache):
    fake, path = dcache
    async with start_qos(mounts_file=path) as qos:
        for number in range(24):
            await qos.store(f"/tape/box/{number}", b"x")
        await qos.bring("/tape/box", "DiskAndTape", "container")
        for number in range(24):
            assert (await qos.cdmi(f"/tape/box/{number}"))["capabilitiesURI"].endswith("DiskAndTape")
    assert sorted(each["target"] for bulk in fake.requests.values() for each in bulk["targets"]) == sorted(
        f"/vo/box/{number}" for number in range(24)
    )
    assert len(fake.requests) <= 12
