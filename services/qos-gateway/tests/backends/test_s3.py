"""The S3 back-end on moto's server: the contract, restores from an archive, parts of large objects."""

import asyncio
import gzip
import hashlib

import httpx
import pytest
import pytest_asyncio
from indigo_contracts.qos import Locality
from indigo_kernel.problems import NotFound, Unavailable
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.s3.api import S3
from indigo_qos_gateway.adapters.s3.backend import NativeClass, S3Backend
from indigo_qos_gateway.adapters.s3.signing import EMPTY
from indigo_qos_gateway.domain.errors import Impossible, StorageDamage
from indigo_qos_gateway.domain.storage import StepState
from indigo_testing.backend_contract import DATA, BackendContract, all_of, bring, chunked, pages
from indigo_testing.object_stores import moto_server

MIB = 1 << 20
OFFERED = {
    "Warm": NativeClass("STANDARD", False, {"cdmi_latency": "50"}),
    "Cool": NativeClass("STANDARD_IA", False, {"cdmi_latency": "80"}),
    "Archive": NativeClass("GLACIER", True, {"cdmi_latency": "14400000"}),
}

LOCALITIES = {"Warm": Locality.DISK, "Cool": Locality.DISK, "Archive": Locality.TAPE}


@pytest.fixture(scope="session")
def moto():
    """The address of moto's S3."""
    with moto_server() as url:
        yield url


@pytest_asyncio.fixture
async def bucket(moto, make_bucket):
    made = make_bucket(moto)
    await made.create()
    return made


def make(bucket, **options):
    api = S3(Remote("cloud", transport=bucket.transport), bucket.bucket, **options)
    return S3Backend("cloud", api, OFFERED, "Warm", Place("Ifca", "ES"), again_seconds=0.01)


class TestS3(BackendContract):
    classes = LOCALITIES

    @pytest_asyncio.fixture
    async def backend(self, bucket):
        backend = make(bucket)
        yield backend
        await backend.close()

    @pytest.fixture
    def faults(self, bucket):
        return bucket.transport.faults()


async def test_a_restored_object_can_be_read_and_its_class_stays(bucket):
    backend = make(bucket)
    await backend.write("/file", chunked(DATA))
    await bring(backend, "/file", "Archive")
    assert (await backend.status("/file")).locality is Locality.TAPE
    await backend._api.restore("file", 1)
    status = await backend.status("/file")
    assert (status.storage_class, status.locality) == ("Archive", Locality.DISK_AND_TAPE)
    assert await all_of(backend, "/file") == DATA
    await backend.close()


async def test_a_restore_that_takes_long_is_waited_for_and_asked_for_once(bucket):
    backend = make(bucket)
    await backend.write("/file", chunked(DATA))
    await bring(backend, "/file", "Archive")
    looks = iter([True] * 3)
    passed_on = bucket.transport._inner.handle_async_request

    async def slow(request):
        answer = await passed_on(request)
        if request.method == "HEAD" and "x-amz-restore" in answer.headers and next(looks, False):
            assert (request.url.path).endswith("/file")
            answer.headers["x-amz-restore"] = 'ongoing-request="true"'
        return answer

    bucket.transport._answer = slow
    assert (await bring(backend, "/file", "Warm")).state is StepState.DONE
    restores = [each for each in bucket.transport.requests if each.url.query == b"restore="]
    assert (len(restores), next(looks, None)) == (1, None)
    assert await all_of(backend, "/file") == DATA
    await backend.close()


async def test_restores_wait_beside_each_other_and_copies_take_turns(bucket):
    backend = make(bucket)
    paths = [f"/{number}" for number in range(10)]
    for path in paths:
        await backend.write(path, chunked(b"x"))
        await bring(backend, path, "Archive")
    passed_on = bucket.transport._inner.handle_async_request
    restoring, copying = set(), []

    async def answered(request):
        if request.url.query == b"restore=":
            restoring.add(request.url.path)
        if "x-amz-copy-source" not in request.headers:
            answer = await passed_on(request)
            if request.method == "HEAD" and "x-amz-restore" in answer.headers and len(restoring) < len(paths):
                answer.headers["x-amz-restore"] = 'ongoing-request="true"'
            return answer
        copying.append(request.url.path)
        try:
            await asyncio.sleep(0.01)
            assert len(copying) <= 4
            return await passed_on(request)
        finally:
            copying.remove(request.url.path)

    bucket.transport._answer = answered
    done = await asyncio.gather(*(bring(backend, path, "Warm") for path in paths))
    assert {each.state for each in done} == {StepState.DONE}
    await backend.close()


async def test_parts_of_a_listing_are_the_listing_and_each_is_one_request(bucket):
    backend = make(bucket)
    names = ["a", "a!", "a-b", "a.b", "b", "é", "漢", "\U0001f600", "z 1", "z+2"]
    for name in names:
        await backend.write(f"/box/{name}", chunked(b"x"))
    for name in ("a0", "c", "d", "a-c"):
        await backend.write(f"/box/{name}/deep/file", chunked(b"x"))
    whole = await backend.children("/box")
    assert len(whole) == len(names) + 4
    for size in (1, 2, 3, 5, 100):
        again = make(bucket)
        bucket.transport.requests.clear()
        found = await pages(again, "/box", size)
        assert sorted(found, key=lambda each: each.name) == whole
        assert len(bucket.transport.requests) == -(-len(whole) // size) + 1  # the last one is empty
        assert await again.page("/box", 7, 3) == found[7:10]
        await again.close()
    assert await backend.page("/box", 9, 2) == found[9:11]  # behind nothing that was listed
    assert await backend.page("/box", 100, 2) == []
    for gone in ("a!", "c"):
        await backend.delete(f"/box/{gone}")
    await backend.write("/box/0", chunked(b"x"))
    assert sorted(await pages(backend, "/box", 2), key=lambda each: each.name) == await backend.children("/box")
    with pytest.raises(NotFound):
        await backend.page("/nothing", 0, 10)
    await backend.make_container("/empty")
    assert await backend.page("/empty", 0, 10) == []
    assert sorted(each.name for each in await pages(backend, "/", 1)) == ["box", "empty"]
    await backend.close()


async def test_large_objects_go_and_are_moved_in_parts(bucket):
    backend = make(bucket, part_bytes=5 * MIB)
    data = bytes(range(256)) * (4 * 11 * 1024)  # 11 MiB
    await backend.write("/large", chunked(data, MIB))
    assert await all_of(backend, "/large") == data
    for target in ("Cool", "Archive", "Warm"):
        assert (await bring(backend, "/large", target)).state is StepState.DONE
        assert (await backend.status("/large")).storage_class == target
    assert await all_of(backend, "/large", 5 * MIB - 1, 5 * MIB + 1) == data[5 * MIB - 1 : 5 * MIB + 1]
    digest = await backend.digest("/large")
    assert digest == (await backend.status("/large")).sha256
    await backend.close()


async def test_a_class_that_is_not_offered_keeps_its_name_and_one_nobody_has_is_refused(bucket):
    backend = make(bucket)
    await backend.write("/file", chunked(b"x"))
    head = await backend._api.head("file")
    await backend._api.copy_onto_itself("file", head, "ONEZONE_IA", None, "/file")
    status = await backend.status("/file")
    assert (status.storage_class, status.provided) == ("ONEZONE_IA", {})
    backend._offered = OFFERED | {"Nowhere": NativeClass("NO_SUCH_CLASS", False, {})}
    with pytest.raises(Impossible, match="InvalidStorageClass"):
        await bring(backend, "/file", "Nowhere")
    await backend.close()


async def test_a_change_the_storage_only_claims_to_have_made_is_no_success(bucket):
    backend = make(bucket)
    await backend.write("/file", chunked(b"x"))
    passed_on = bucket.transport._inner.handle_async_request

    async def lying(request):
        if "x-amz-copy-source" in request.headers:
            return httpx.Response(200, content=b"<CopyObjectResult/>", request=request)
        return await passed_on(request)

    bucket.transport._answer = lying
    progress = await bring(backend, "/file", "Cool")
    assert progress.state is StepState.FAILED
    assert "still is at STANDARD" in progress.error
    await backend.close()


async def test_bytes_that_rot_are_found(bucket):
    backend = make(bucket)
    await backend.write("/file", chunked(b"good"))
    sha256 = (await backend.status("/file")).sha256
    await backend._api.delete("file")
    await backend._api._send(
        "PUT", "file", headers={"x-amz-meta-indigo-sha256": sha256}, content=b"", payload=EMPTY
    )
    with pytest.raises(StorageDamage, match="was written"):
        await backend.digest("/file")
    await backend.close()


async def test_a_missing_bucket_is_no_missing_object(moto, make_bucket):
    backend = make(make_bucket(moto))
    with pytest.raises(Unavailable):
        await backend.status("/file")
    assert not (await backend.health()).usable
    await backend.close()


async def test_objects_of_others_have_containers_and_get_a_checksum_before_they_are_archived(bucket):
    backend = make(bucket)
    await backend._api._send("PUT", "theirs/deep/file", content=b"", headers={"content-length": "0"})
    assert [each.name for each in await backend.children("/theirs")] == ["deep"]
    assert (await backend.status("/theirs/deep/file")).sha256 is None
    assert (await bring(backend, "/theirs/deep/file", "Archive")).state is StepState.DONE
    assert await backend.digest("/theirs/deep/file") == EMPTY
    await backend.close()


async def test_an_object_others_stored_compressed_is_read_as_it_was_stored(bucket):
    backend = make(bucket)
    stored = gzip.compress(DATA)
    headers = {"content-encoding": "gzip", "content-length": str(len(stored))}
    payload = hashlib.sha256(stored).hexdigest()
    await backend._api._send("PUT", "file", headers=headers, content=stored, payload=payload)
    assert (await backend.status("/file")).size == len(stored)
    assert await all_of(backend, "/file") == stored
    assert await all_of(backend, "/file", 10, 20) == stored[10:20]
    await backend.close()


@pytest.mark.parametrize("part_bytes", [5 << 30, 5 << 20], ids=["at once", "in parts"])
async def test_what_others_say_of_their_object_stays_with_it(bucket, part_bytes):
    backend = make(bucket, part_bytes=part_bytes)
    data = bytes(6 << 20)
    described = {
        "content-type": "text/csv",
        "content-encoding": "gzip",
        "cache-control": "no-store",
        "x-amz-meta-theirs": "yes",
    }
    headers = {**described, "content-length": str(len(data))}
    payload = hashlib.sha256(data).hexdigest()
    await backend._api._send("PUT", "file", headers=headers, content=data, payload=payload)
    for target in ("Cool", "Archive"):
        assert (await bring(backend, "/file", target)).state is StepState.DONE
        told = (await backend._api._send("HEAD", "file")).headers
        assert {name: told.get(name) for name in described} == described
    assert (await backend.status("/file")).sha256 == payload
    await backend.close()
