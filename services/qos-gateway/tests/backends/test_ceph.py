"""The Ceph back-end on a real Ceph."""

import pytest
import pytest_asyncio
from indigo_contracts.qos import Locality
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.s3.api import S3
from indigo_qos_gateway.adapters.s3.backend import NativeClass
from indigo_qos_gateway.adapters.s3.ceph import CephBackend
from indigo_qos_gateway.domain.errors import Impossible
from indigo_testing.backend_contract import DATA, BackendContract, all_of, bring, chunked, pages
from indigo_testing.object_stores import ceph_server

pytestmark = pytest.mark.slow

OFFERED = {
    "Hot": NativeClass("STANDARD", False, {"cdmi_latency": "20"}),
    "Cold": NativeClass("COLD", False, {"cdmi_latency": "40"}),
    "Vault": NativeClass("ARCHIVE", False, {"cdmi_latency": "90"}),
}
LOCALITIES = dict.fromkeys(OFFERED, Locality.DISK)


@pytest.fixture(scope="session")
def ceph(tmp_path_factory):
    """The address of a private Ceph's S3."""
    with ceph_server(tmp_path_factory.mktemp("ceph") / "state") as url:
        yield url


@pytest_asyncio.fixture
async def bucket(ceph, make_bucket):
    made = make_bucket(ceph)
    await made.create()
    return made


def make(bucket, offered=OFFERED, **options):
    return CephBackend(
        "ceph", S3(Remote("ceph", transport=bucket.transport), bucket.bucket, **options), offered, "Hot", Place()
    )


class TestCeph(BackendContract):
    classes = LOCALITIES

    @pytest_asyncio.fixture
    async def backend(self, bucket):
        backend = make(bucket)
        yield backend
        await backend.close()

    @pytest.fixture
    def faults(self, bucket):
        return bucket.transport.faults()


async def test_parts_of_a_listing_are_the_listing(bucket):
    backend = make(bucket)
    for name in ("a", "a!", "a-b", "b", "é", "\U0001f600", "a0/file", "c/file", "c/deep/file"):
        await backend.write(f"/box/{name}", chunked(b"x"))
    whole = await backend.children("/box")
    for size in (1, 2, 3, 100):
        bucket.transport.requests.clear()
        assert sorted(await pages(backend, "/box", size), key=lambda each: each.name) == whole
        assert len(bucket.transport.requests) == -(-len(whole) // size) + 1
    await backend.close()


async def test_large_objects_go_in_parts(bucket):
    backend = make(bucket, part_bytes=5 << 20)
    data = DATA * 10
    await backend.write("/large", chunked(data, 1 << 20))
    await bring(backend, "/large", "Cold")
    assert (await backend.status("/large")).storage_class == "Cold"
    assert await all_of(backend, "/large") == data
    await backend.close()


async def test_classes_the_zone_does_not_have_are_told(bucket):
    backend = make(bucket, OFFERED | {"Glass": NativeClass("GLASS", False, {})})
    health = await backend.health()
    assert (health.usable, health.notes) == (False, ("the zone has no storage class GLASS in default-placement",))
    await backend.write("/file", chunked(DATA))
    with pytest.raises(Impossible, match="InvalidArgument"):
        await bring(backend, "/file", "Glass")
    assert (await backend.status("/file")).storage_class == "Hot"
    await backend.close()
