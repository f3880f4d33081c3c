"""Objects that another back-end takes over: one path, one identifier, one tree."""

import hashlib

import pytest
from indigo_contracts.registry import FACTS

FAR = "/cdmi_capabilities/dataobject/far.DiskOnly"
HOME = "/cdmi_capabilities/dataobject/DiskOnly"
DATA = bytes(range(256)) * 3000


async def test_an_object_goes_to_another_back_end_and_stays_what_it_is(start_qos, two, kept):
    async with start_qos(**two) as qos:
        await qos.store("/box/f", DATA, "text/csv")
        before = await qos.cdmi("/box/f")
        assert FAR in before["metadata"]["cdmi_capabilities_allowed_provided"]
        assert (await qos.change("/box/f", FAR)).status_code == 204
        moving = await qos.cdmi("/box/f")
        assert moving["capabilitiesURI"] == HOME
        assert moving["metadata"]["cdmi_capabilities_target"] == FAR
        await qos.work_off()
        after = await qos.cdmi("/box/f")
        assert after["capabilitiesURI"] == FAR
        assert "cdmi_capabilities_target" not in after["metadata"]
        assert "cdmi_recommended_polling_interval" not in after["metadata"]
        assert HOME in after["metadata"]["cdmi_capabilities_allowed_provided"]
        assert after["metadata"]["cdmi_geographic_placement_provided"] == ["PT"]
        for name in ("objectID", "objectName", "parentURI", "mimetype"):
            assert after[name] == before[name]
        there = kept()
        assert there["posix"] == {}
        assert list(there["far"].values()) == [DATA]
        assert (await qos.cdmi("/box"))["children"] == ["f"]
        read = await qos.http.get("/box/f", headers=qos.auth() | {"range": "bytes=10-19"})
        assert (read.status_code, read.content) == (206, DATA[10:20])
        (name, told) = (await qos.facts())[-1]
        assert len(await qos.facts()) == 2
        assert (name, told["backend"], told["source_backend"]) == ("completed", "far", "posix")
        assert told["objects"][0]["sha256"] == hashlib.sha256(DATA).hexdigest()
        shown = (await qos.http.get(f"/api/transitions/{told['transition_id']}")).json()
        assert (shown["bytes_done"], shown["bytes_total"]) == (len(DATA), len(DATA))
        assert await qos.rows("SELECT * FROM jobs") == []
        for row in await qos.rows("SELECT fact FROM outbox"):
            assert row.fact in FACTS


async def test_what_was_moved_is_shown_nowhere_else(start_qos, two, kept):
    async with start_qos(**two) as qos:
        await qos.store("/box/f", DATA)
        await qos.store("/far/own", b"own")
        await qos.bring("/box/f", "far.DiskOnly")
        (hidden,) = [name for name in kept()["far"] if name != "own"]
        assert (await qos.cdmi("/far"))["children"] == ["own"]
        assert (await qos.http.get(f"/far/{hidden}")).status_code == 404
        assert (await qos.http.get("/far/cdmi_moved/")).status_code == 404
        refused = await qos.http.delete("/far/", headers=qos.auth())
        assert refused.status_code == 409
        assert (await qos.http.get("/box/f", headers=qos.auth() | {"accept": "text/csv"})).content == DATA


async def test_there_and_back_again(start_qos, two, kept):
    async with start_qos(**two) as qos:
        await qos.store("/f", DATA)
        for name in ("far.DiskOnly", "far.TapeOnly", "DiskAndTape", "far.DiskAndTape", "TapeOnly", "DiskOnly"):
            await qos.bring("/f", name)
            assert (await qos.cdmi("/f"))["capabilitiesURI"].endswith("/" + name)
        assert kept() == {"posix": {"f": DATA}, "far": {}}
        assert await qos.rows("SELECT * FROM places") == []
        assert [name for name, _ in await qos.facts()] == ["requested", "completed"] * 6


async def test_what_is_on_tape_is_recalled_to_be_taken_over(start_qos, two, kept):
    async with start_qos(**two) as qos:
        await qos.store("/f", DATA)
        await qos.bring("/f", "TapeOnly")
        await qos.bring("/f", "far.DiskOnly")
        assert list(kept()["far"].values()) == [DATA]
        assert kept()["posix"] == {}


async def test_a_container_with_everything_in_it(start_qos, two, kept):
    async with start_qos(**two) as qos:
        for name in ("a", "b/c", "b/d"):
            await qos.store(f"/box/{name}", name.encode())
        await qos.bring("/box/", "far.DiskOnly", "container")
        assert sorted(kept()["far"].values()) == [b"a", b"b/c", b"b/d"]
        assert (await qos.cdmi("/box"))["capabilitiesURI"] == "/cdmi_capabilities/container/far.DiskOnly"
        assert (await qos.cdmi("/box/b"))["children"] == ["c", "d"]
        await qos.store("/box/new", b"new")
        await qos.work_off()
        assert sorted(kept()["far"].values()) == [b"a", b"b/c", b"b/d", b"new"]
        await qos.bring("/box/b/", "DiskOnly", "container")
        assert kept()["posix"] == {"box/b/c": b"b/c", "box/b/d": b"b/d"}


async def test_new_bytes_and_removal_follow_the_object(start_qos, two, kept):
    async with start_qos(**two) as qos:
        await qos.store("/box/f", b"old")
        await qos.store("/box/g", b"other")
        await qos.bring("/box/f", "far.DiskOnly")
        await qos.store("/box/f", b"new")
        await qos.work_off()
        assert list(kept()["far"].values()) == [b"new"]
        assert (await qos.cdmi("/box/f"))["capabilitiesURI"] == FAR
        assert (await qos.http.delete("/box/f", headers=qos.auth())).status_code == 204
        assert (await qos.http.get("/box/f")).status_code == 404
        await qos.work_off()
        assert kept() == {"posix": {"box/g": b"other"}, "far": {}}
        await qos.bring("/box/g", "far.DiskOnly")
        assert (await qos.http.delete("/box/", headers=qos.auth())).status_code == 204
        await qos.work_off()
        assert kept() == {"posix": {}, "far": {}}
        assert await qos.rows("SELECT * FROM places") == []


async def test_only_back_ends_that_may_take_over_are_offered(start_qos, two):
    two["rules_file"].write_text('[storage.far]\ntakers = ["posix"]\n')
    async with start_qos(**two) as qos:
        await qos.store("/f", b"x")
        assert (await qos.change("/f", FAR)).status_code == 400
        classes = (await qos.cdmi("/cdmi_capabilities/dataobject"))["children"]
        assert "far.DiskOnly" not in classes
        assert "posix.DiskOnly" in classes
        node = await qos.cdmi("/cdmi_capabilities/dataobject/posix.DiskOnly")
        assert node["metadata"]["cdmi_location"] == ["/far"]


async def test_takers_that_are_not_there_are_refused(start_qos, two):
    two["rules_file"].write_text('[storage.posix]\ntakers = ["moon"]\n')
    with pytest.raises(ValueError, match="the takers of posix cannot be used: there is far, posix"):
        async with start_qos(**two):
            pass


async def test_objects_of_a_back_end_that_is_gone_are_out_of_reach_and_not_forgotten(start_qos, two):
    async with start_qos(**two) as qos:
        await qos.store("/f", DATA)
        await qos.bring("/f", "far.DiskOnly")
    mounts, rules = two["mounts_file"].read_text(), two["rules_file"].read_text()
    two["mounts_file"].write_text(mounts.replace('"far"', '"other"'))
    two["rules_file"].write_text("")
    async with start_qos(**two, keep=True) as qos:
        answer = await qos.http.get("/f")
        assert answer.status_code == 503
        assert "the back-end far, which is not mounted any more" in answer.json()["detail"]
    two["mounts_file"].write_text(mounts)
    two["rules_file"].write_text(rules)
    async with start_qos(**two, keep=True) as qos:
        assert (await qos.cdmi("/f"))["capabilitiesURI"] == FAR


async def test_where_a_back_end_is_mounted_nothing_is_moved_or_deleted(start_qos, two, kept):
    async with start_qos(**two) as qos:
        await qos.store("/far/own", b"own")
        await qos.store("/far/box/f", DATA)
        await qos.bring("/far/box/f", "posix.DiskOnly")
        before = kept()
        assert (await qos.http.delete("/far/", headers=qos.auth())).status_code == 409
        headers = qos.auth() | {"content-type": "application/cdmi-container"}
        moved = await qos.http.put("/else/", content='{"move": "/far/"}', headers=headers)
        assert moved.status_code == 409
        await qos.work_off()
        assert kept() == before
        assert (await qos.http.get("/else/")).status_code == 404
        assert await qos.rows("SELECT * FROM transfers") == []
        assert (await qos.http.get("/far/own", headers=qos.auth() | {"accept": "text/csv"})).content == b"own"
        assert (await qos.http.delete("/far/own", headers=qos.auth())).status_code == 204
