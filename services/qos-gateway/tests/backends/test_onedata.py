"""OneData: the contract over a fake space, and what providers do with requirements."""

import httpx
import pytest
from indigo_contracts.qos import Locality
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.http.credentials import HeaderAuth
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.onedata.api import OneData
from indigo_qos_gateway.adapters.onedata.backend import OneDataBackend, Wanted
from indigo_qos_gateway.domain.storage import StepState
from indigo_testing.backend_contract import DATA, BackendContract, bring, chunked
from indigo_testing.fakes.onedata import OneDataSpace
from indigo_testing.faults import FaultyTransport

OFFERED = {
    "Two": Wanted("anyStorage", 2, {}),
    "Spain": Wanted("country=ES & type=disk", 1, {}),
}
ON_DISK = dict.fromkeys(["Any", *OFFERED], Locality.DISK)


class TestOneData(BackendContract):
    classes = ON_DISK

    @pytest.fixture
    def space(self, tmp_path):
        return OneDataSpace(tmp_path / "space", "LifeWatch@sp1", "sp1")

    @pytest.fixture
    def transport(self, space):
        return FaultyTransport(httpx.ASGITransport(space))

    @pytest.fixture
    def make(self, transport, tmp_path):
        (tmp_path / "token").write_text("secret\n")

        def made():
            auth = HeaderAuth(tmp_path / "token", "x-auth-token", "")
            api = OneData(
                Remote("od", auth=auth, transport=transport), "https://p.example.org", "LifeWatch@sp1", "sp1"
            )
            return OneDataBackend("od", api, OFFERED, "Any", Place(), again_seconds=0.001)

        return made

    @pytest.fixture
    def backend(self, make):
        return make()

    @pytest.fixture
    def faults(self, transport):
        return transport.faults()

    async def test_the_redundancy_told_is_the_one_observed(self, backend):
        await backend.write("/file", chunked(DATA))
        assert (await backend.status("/file")).provided["cdmi_data_redundancy"] == "1"
        await bring(backend, "/file", "Two")
        assert (await backend.status("/file")).provided["cdmi_data_redundancy"] == "2"

    async def test_what_no_storage_fulfils_fails_and_leaves_nothing(self, backend, space):
        await backend.write("/file", chunked(DATA))
        await bring(backend, "/file", "Two")
        space.impossible.add("country=ES & type=disk")
        progress = await bring(backend, "/file", "Spain")
        assert (progress.state, progress.error) == (
            StepState.FAILED,
            "no storages of od fulfil country=ES & type=disk",
        )
        assert (await backend.status("/file")).storage_class == "Two"
        assert len(space.requirements) == 1

    async def test_a_change_goes_on_after_a_restart(self, backend, make):
        await backend.write("/file", chunked(DATA))
        handle = await backend.start("/file", "Two")
        again = make()
        assert await again.start("/file", "Two") == handle
        assert (await again.poll("/file", handle, 5)).state is StepState.DONE

    async def test_a_requirement_is_read_once_and_its_status_always(self, backend, transport):
        await backend.write("/file", chunked(DATA))
        handle = await backend.start("/file", "Two")
        await backend.status("/file")
        before = len(transport.requests)
        assert (await backend.status("/file")).storage_class == "Any"
        asked = [each.url.path for each in transport.requests[before:]]
        assert not [each for each in asked if "qos_requirements" in each]
        assert (await backend.poll("/file", handle, 5)).state is StepState.DONE
        assert (await backend.status("/file")).storage_class == "Two"

    async def test_requirements_of_others_are_left_alone(self, backend, space):
        await backend.write("/file", chunked(DATA))
        file_id = await backend._api.find("/file")
        await backend._api.require(file_id, "latency<8", 1)
        await bring(backend, "/file", "Two")
        await bring(backend, "/file", "Any")
        assert [each["expression"] for each in space.requirements.values()] == ["latency<8"]
