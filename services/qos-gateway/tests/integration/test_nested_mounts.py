"""A back-end below the one at the root: what the root container is brought to is no word about it."""

import asyncio
from datetime import timedelta

import pytest

MOUNTS = """
[[mount]]
prefix = "/far"
name = "far"
type = "posix"
disk = "{far}/disk"
tape = "{far}/tape"
"""
TAPE = "/cdmi_capabilities/dataobject/TapeOnly"


@pytest.fixture
def mounts(tmp_path):
    (tmp_path / "mounts.toml").write_text(MOUNTS.format(far=tmp_path / "far"))
    return {"mounts_file": tmp_path / "mounts.toml"}


async def start_root(qos, name="TapeOnly"):
    """Have the root container brought to a class; nothing of it is done yet."""
    body = {"path": "/", "target_class": name}
    made = await qos.http.post("/api/transitions", json=body, headers=qos.auth())
    assert made.status_code == 202, made.text
    return made.json()["transition_id"]


async def test_an_object_of_another_mount_moves_by_itself(start_qos, mounts):
    async with start_qos(**mounts) as qos:
        for path in ("/here", "/far/there", "/far/box/other"):
            await qos.store(path, b"bytes")
        root = await start_root(qos)
        assert (await qos.cdmi("/here"))["metadata"]["cdmi_capabilities_target"] == TAPE
        assert "cdmi_capabilities_target" not in (await qos.cdmi("/far/there"))["metadata"]
        body = {"path": "/far/there", "target_class": "TapeOnly"}
        made = await qos.http.post("/api/transitions", json=body, headers=qos.auth())
        assert made.status_code == 202, made.text
        assert made.json()["transition_id"] != root
        assert (await qos.change("/far/box/other", "/cdmi_capabilities/dataobject/DiskAndTape")).status_code == 204
        await qos.work_off()
        classes = {path: (await qos.cdmi(path))["capabilitiesURI"] for path in ("/here", "/far/there")}
        assert classes == {"/here": TAPE, "/far/there": TAPE}
        other = (await qos.cdmi("/far/box/other"))["capabilitiesURI"]
        assert other == "/cdmi_capabilities/dataobject/DiskAndTape"


async def test_many_of_another_mount_move_by_themselves(start_qos, mounts):
    async with start_qos(**mounts, transition_patience=timedelta(0)) as qos:
        for path in ("/here", "/far/there", "/far/other"):
            await qos.store(path, b"bytes")
        root = await start_root(qos)
        async with qos.drives_taken():
            for name, targets in (("TapeOnly", ["/here", "/far/there"]), ("DiskAndTape", ["/far/other"])):
                wish = {"targets": targets, "target_class": name}
                made = await qos.http.post("/api/transitions/bulk", json=wish, headers=qos.auth())
                assert made.status_code == 202, made.text
            async with asyncio.timeout(20):
                while (await qos.cdmi("/far/there"))["capabilitiesURI"] != TAPE:
                    qos.clock.advance(timedelta(seconds=10))
                    await qos.work_off()
            assert (await qos.cdmi("/far/other"))["capabilitiesURI"].endswith("/DiskAndTape")
            assert (await qos.http.get(f"/api/transitions/{root}")).json()["state"] == "STARTED"
            listed = (await qos.http.get("/api/transitions?path=/here")).json()["items"]
            assert listed == []  # that of the root container covers it


async def test_another_mount_is_written_to_and_removed_from_meanwhile(start_qos, mounts):
    async with start_qos(**mounts) as qos:
        for path in ("/here", "/far/there"):
            await qos.store(path, b"bytes")
        await start_root(qos)
        for path, expected in (("/here", 409), ("/far/there", 204)):
            put = await qos.http.put(path, content=b"new", headers=qos.auth())
            assert put.status_code == expected, put.text
            deleted = await qos.http.delete(path, headers=qos.auth())
            assert deleted.status_code == expected, deleted.text
