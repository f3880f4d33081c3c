"""The Handle face as ``pyhandle`` from PyPI drives it: the whole of its REST client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from indigo_kernel.clock import SystemClock
from indigo_testing.pid_service import pid_service

pyhandle = pytest.importorskip("pyhandle", reason="uv pip install pyhandle")
from pyhandle.client.resthandleclient import RESTHandleClient  # noqa: E402
from pyhandle.handleexceptions import (  # noqa: E402
    GenericHandleError,
    HandleAlreadyExistsException,
    HandleAuthenticationError,
    HandleNotFoundException,
    IllegalOperationException,
    ReverseLookupException,
)

PREFIX = "21.T99999"
USER = f"300:{PREFIX}/USER"
URL = "https://data.example.org/1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(make_database, tmp_path_factory) -> AsyncIterator[tuple[str, str]]:
    """A running service, and an API key that may mint; the handle of the user exists."""
    database_url = await make_database("handles")
    async with pid_service(database_url, tmp_path_factory.mktemp("issuer")) as at:
        token = {"authorization": f"Bearer {at.issuer.token('ana', ['pid:mint'])}"}
        async with httpx.AsyncClient(base_url=at.url, headers=token) as http:
            expires = (SystemClock().now() + timedelta(days=1)).isoformat()
            made = await http.post("/api-keys", json={"scopes": ["pid:mint"], "expires_at": expires})
            assert made.status_code == 201, made.text
            user = [{"index": 1, "type": "NAME", "data": "Ana"}]
            assert (await http.put(f"/api/handles/{PREFIX}/USER", json=user)).status_code == 201
        yield at.url, made.json()["key"]


async def call(method: Any, *args: Any, **kwargs: Any) -> Any:
    """The client is synchronous; the server runs in this loop."""
    return await asyncio.to_thread(method, *args, **kwargs)


async def connect(url: str, password: str, username: str = USER) -> RESTHandleClient:
    return await call(
        RESTHandleClient.instantiate_with_username_and_password,
        url,
        username,
        password,
        reverselookup_baseuri=url,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def client(service) -> RESTHandleClient:
    return await connect(*service)


@pytest.fixture
def handle(client) -> str:
    """A name nobody has."""
    name: str = client.generate_PID_name(PREFIX)
    return name


async def types_of(client, handle) -> dict[str, str]:
    record = await call(client.retrieve_handle_record, handle)
    return {key: value for key, value in record.items() if key != "HS_ADMIN"}


async def test_a_handle_from_registration_to_deletion(client, handle):
    assert await call(client.register_handle, handle, URL, checksum="abc", COLOR="green") == handle
    assert await types_of(client, handle) == {"URL": URL, "CHECKSUM": "abc", "COLOR": "green"}
    assert await call(client.get_value_from_handle, handle, "URL") == URL
    assert await call(client.get_value_from_handle, handle, "NONE") is None
    await call(client.modify_handle_value, handle, COLOR="red", URL=URL + "/new")
    await call(client.modify_or_add_handle_value, handle, SIZE="7")
    await call(client.add_handle_value, handle, ttl=100, SHAPE="round")
    await call(client.modify_handle_value_not_add, handle, SIZE="8")
    assert await types_of(client, handle) == {
        "URL": URL + "/new",
        "CHECKSUM": "abc",
        "COLOR": "red",
        "SIZE": "8",
        "SHAPE": "round",
    }
    await call(client.delete_handle_value, handle, ["SIZE", "COLOR"])
    assert await call(client.delete_handle_value, handle, "NONE") is None
    assert set(await types_of(client, handle)) == {"URL", "CHECKSUM", "SHAPE"}
    assert await call(client.delete_handle, handle) == handle
    left = await types_of(client, handle)
    assert left["TOMBSTONE"] == "It was deleted through the Handle API."
    with pytest.raises(HandleNotFoundException):
        await call(client.delete_handle, handle)
    with pytest.raises((HandleAlreadyExistsException, GenericHandleError)):
        await call(client.register_handle, handle, URL, overwrite=True)


async def test_registering_as_json_and_as_pairs(client, handle):
    entries = [
        {"index": 1, "type": "URL", "data": {"format": "string", "value": URL}},
        {"index": 5, "type": "MD5", "data": "x"},
    ]
    await call(client.register_handle_json, handle, entries)
    record = await call(client.retrieve_handle_record_json, handle, indices=[5])
    assert [(one["index"], one["type"], one["data"]["value"]) for one in record["values"]] == [(5, "MD5", "x")]
    indices = await call(client.retrieve_handle_record_json, handle)
    assert client.get_handlerecord_indices_for_key("MD5", indices["values"]) == [5]
    with pytest.raises(HandleAlreadyExistsException):
        await call(client.register_handle_kv, handle, URL=URL)
    await call(client.register_handle_kv, handle, overwrite=True, URL=URL, NAME="n")
    assert await types_of(client, handle) == {"URL": URL, "NAME": "n"}


async def test_a_generated_name(client):
    made = await call(client.generate_and_register_handle, PREFIX, URL, checksum="c")
    assert made.startswith(f"{PREFIX}/")
    assert await types_of(client, made) == {"URL": URL, "CHECKSUM": "c"}


async def test_reading_chosen_values(client, handle):
    await call(client.register_handle, handle, URL, A="1", B="2")
    by_type = await call(client.retrieve_handle_record_json, handle, type="A")
    assert [one["type"] for one in by_type["values"]] == ["A"]
    several = await call(client.retrieve_handle_record_json, handle, type=["A", "B"])
    assert sorted(one["type"] for one in several["values"]) == ["A", "B"]
    assert (await call(client.retrieve_handle_record_json, handle, auth=True))["responseCode"] == 1
    assert await call(client.retrieve_handle_record_json, f"{PREFIX}/none") is None


async def test_what_is_not_allowed(client, service, handle):
    url, _ = service
    with pytest.raises(HandleNotFoundException):
        await call(client.modify_handle_value, handle, A="1")
    with pytest.raises(GenericHandleError):
        await call(client.register_handle, "21.T1/x", URL)
    with pytest.raises(GenericHandleError):
        await call(client.register_handle, handle, "javascript:alert(1)")
    await call(client.register_handle, handle, URL)
    with pytest.raises(IllegalOperationException):
        await call(client.delete_handle_value, handle, "HS_ADMIN")
    wrong = await connect(url, "indigo_abcdefgh_" + "x" * 40)
    with pytest.raises(HandleAuthenticationError):
        await call(wrong.register_handle, handle, URL, overwrite=True)
    with pytest.raises(HandleNotFoundException):
        await connect(url, "secret", f"300:{PREFIX}/NOBODY")
    reader = RESTHandleClient.instantiate_for_read_access(url)
    assert await call(reader.get_value_from_handle, handle, "URL") == URL
    with pytest.raises(HandleAuthenticationError):
        await call(reader.register_handle, handle + "-x", URL)


async def test_the_reverse_lookup(client, service, handle):
    await call(client.register_handle, handle, URL + "/lookup_100%25", checksum="LookUp")
    other = await call(client.generate_and_register_handle, PREFIX, URL + "/lookup-100x", checksum="else")
    found = await call(client.search_handle, URL="*LOOKUP_100%2525*")
    assert found == [handle]
    assert sorted(await call(client.search_handle, URL="*/lookup*")) == sorted([handle, other])
    assert await call(client.search_handle, URL="*/lookup*", CHECKSUM="look*") == [handle]
    assert await call(client.search_handle, CHECKSUM="nothing") == []
    assert await call(client.search_handle, URL="*/lookup*", prefix="21.T1") == []
    url, _ = service
    wrong = RESTHandleClient.instantiate_for_read_and_search(url, "user", "wrong")
    with pytest.raises(ReverseLookupException):
        await call(wrong.search_handle, URL="*")
