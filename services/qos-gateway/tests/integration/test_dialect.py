"""The INDIGO dialect: what gfal2, FTS and KIT's web client send and read."""

import hashlib
import json
from dataclasses import replace

import pytest
from indigo_kernel.db.engine import DatabaseAway
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.application.sighting import Sightings
from indigo_qos_gateway.domain.object_id import is_object_id

URI = "/cdmi_capabilities/dataobject/"


async def test_the_capability_tree_is_open(qos):
    root = await qos.cdmi("/cdmi_capabilities")
    assert root["children"] == ["container", "dataobject", "domain", "queue"]
    kinds = await qos.cdmi("/cdmi_capabilities/dataobject")
    assert sorted(kinds["children"]) == ["DiskAndTape", "DiskOnly", "TapeOnly"]
    tape = await qos.cdmi(URI + "TapeOnly")
    assert tape["objectName"] == "TapeOnly"
    assert tape["parentURI"] == "/cdmi_capabilities/dataobject"
    assert tape["parentID"] == kinds["objectID"]
    assert tape["capabilities"]["cdmi_latency"] == "true"
    assert tape["metadata"] == {
        "cdmi_data_redundancy": "1",
        "cdmi_latency": "60000",
        "cdmi_geographic_placement": ["ES"],
        "cdmi_location": ["/"],
        "cdmi_capabilities_allowed": [URI + "DiskOnly", URI + "DiskAndTape"],
    }
    by_id = await qos.cdmi(f"/cdmi_objectid/{tape['objectID'].lower()}")
    assert by_id == tape


async def test_an_unknown_class_is_not_found_in_the_words_clients_look_for(qos):
    answer = await qos.http.get(URI + "Gold")
    assert answer.status_code == 404
    assert "Capabilities not found" in answer.json()["message"]
    answer = await qos.http.get("/nothing")
    assert answer.status_code == 404
    assert "Object not found" in answer.json()["message"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-cdmi-specification-version"] == "1.1.1"


async def test_a_change_of_class_appears_and_vanishes(qos):
    await qos.store("/data/f1", b"x" * 10_000)
    before = await qos.cdmi("/data/f1")
    assert before["capabilitiesURI"] == URI + "DiskOnly"
    assert "cdmi_capabilities_target" not in before["metadata"]
    answer = await qos.change("/data/f1", URI + "TapeOnly/", expect="100-continue")
    assert (answer.status_code, answer.content) == (204, b"")
    moving = await qos.cdmi("/data/f1")
    assert moving["capabilitiesURI"] == URI + "DiskOnly"
    assert moving["metadata"]["cdmi_data_redundancy_provided"] == "1"
    assert moving["metadata"]["cdmi_capabilities_target"] == URI + "TapeOnly"
    assert moving["metadata"]["cdmi_recommended_polling_interval"] == "5000"
    assert (await qos.change("/data/f1", URI + "TapeOnly")).status_code == 204
    assert (await qos.change("/data/f1", URI + "DiskAndTape")).status_code == 409
    await qos.work_off()
    after = await qos.cdmi("/data/f1")
    assert after["capabilitiesURI"] == URI + "TapeOnly"
    assert after["metadata"]["cdmi_latency_provided"] == "60000"
    assert after["metadata"]["cdmi_size"] == "10000"
    assert not {"cdmi_capabilities_target", "cdmi_recommended_polling_interval"} & set(after["metadata"])
    assert after["objectID"] == before["objectID"]


async def test_asking_for_the_class_it_has_changes_nothing(qos):
    await qos.store("/f", b"x")
    assert (await qos.change("/f", URI + "DiskOnly")).status_code == 204
    assert await qos.facts() == []


async def test_a_container_is_changed_with_the_type_of_objects_too(qos):
    await qos.store("/box/a", b"a")
    await qos.store("/box/deep/b", b"b")
    await qos.bring("/box", "DiskAndTape", "container")
    assert (await qos.cdmi("/box"))["capabilitiesURI"] == "/cdmi_capabilities/container/DiskAndTape"
    for path in ("/box/a", "/box/deep/b"):
        assert (await qos.cdmi(path))["capabilitiesURI"] == URI + "DiskAndTape"
    assert (await qos.cdmi("/box"))["children"] == ["a", "deep"]


async def test_new_objects_come_to_the_class_of_their_container(qos):
    await qos.store("/box/a", b"a")
    await qos.bring("/box/", "TapeOnly", "container")
    await qos.store("/box/new/b", b"b")
    assert (await qos.cdmi("/box/new/b"))["metadata"]["cdmi_capabilities_target"] == URI + "TapeOnly"
    await qos.work_off()
    assert (await qos.cdmi("/box/new/b"))["capabilitiesURI"] == URI + "TapeOnly"


async def test_new_bytes_of_an_old_object_come_back_to_its_class(qos):
    await qos.store("/f", b"old")
    await qos.bring("/f", "DiskAndTape")
    await qos.store("/f", b"new")
    assert (await qos.cdmi("/f"))["capabilitiesURI"] == URI + "DiskOnly"
    await qos.work_off()
    assert (await qos.cdmi("/f"))["capabilitiesURI"] == URI + "DiskAndTape"


@pytest.mark.parametrize(
    "uri", ["/cdmi_capabilities/dataobject", URI + "Gold", "/cdmi_capabilities/container/TapeOnly", "TapeOnly", ""]
)
async def test_a_class_that_is_none_is_refused_with_a_pointer(qos, uri):
    await qos.store("/f", b"x")
    answer = await qos.change("/f", uri)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/capabilitiesURI"
    assert await qos.facts() == []


async def test_a_value_on_tape_is_refused_and_not_recalled(qos):
    await qos.store("/f", b"x" * 100, "text/plain")
    await qos.bring("/f", "TapeOnly")
    for headers in ({"accept": "text/plain"}, {"range": "bytes=0-1"}):
        answer = await qos.http.get("/f", headers=qos.auth() | headers)
        assert answer.status_code == 503
        assert answer.json()["locality"] == "TAPE"
        assert "retry-after" not in answer.headers
    assert (await qos.http.get("/f?value", headers=qos.auth())).status_code == 503
    assert (await qos.cdmi("/f"))["capabilitiesURI"] == URI + "TapeOnly"
    await qos.bring("/f", "DiskAndTape")
    assert (await qos.http.get("/f", headers=qos.auth() | {"accept": "text/plain"})).content == b"x" * 100


async def test_plain_bytes_with_ranges(qos):
    data = bytes(range(256)) * 20_000
    await qos.store("/big", data, "image/tiff")
    read = qos.auth("storage.read:/big") | {"accept": "image/tiff"}
    whole = await qos.http.get("/big", headers=read)
    assert whole.content == data
    assert whole.headers["content-type"] == "image/tiff"
    assert whole.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert "sandbox" in whole.headers["content-security-policy"]
    part = await qos.http.get("/big", headers=read | {"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, data[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(data)}"
    stale = await qos.http.get("/big", headers=read | {"range": "bytes=100-199", "if-range": '"other"'})
    assert (stale.status_code, len(stale.content)) == (200, len(data))
    behind = await qos.http.get("/big", headers=read | {"range": f"bytes={len(data)}-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(data)}")
    head = await qos.http.head("/big", headers=read)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(data)), b"")


async def test_a_value_too_large_for_json_is_asked_for_in_ranges(qos):
    await qos.store("/big", b"x" * (5 << 20))
    assert (await qos.http.get("/big?value", headers=qos.auth())).status_code == 400
    answer = await qos.http.get("/big?value:5242870-9999999;valuerange", headers=qos.auth())
    assert answer.json() == {"value": "eHh4eHh4eHh4eA==", "valuerange": "5242870-5242879"}
    assert (await qos.http.get("/big?value:5242880-5242881", headers=qos.auth())).status_code == 400


async def test_what_others_put_into_the_storage_gets_an_identity(qos):
    (qos.directory / "disk").mkdir()
    (qos.directory / "disk/imported").write_bytes(b"from elsewhere")
    found = await qos.cdmi("/imported")
    assert is_object_id(found["objectID"])
    assert (await qos.cdmi(f"/cdmi_objectid/{found['objectID']}"))["objectName"] == "imported"
    assert (await qos.cdmi("/"))["children"] == ["imported"]


async def test_nobody_writes_without_the_right_to(qos):
    body = {"content": b"x", "headers": {"content-type": "text/plain"}}
    assert (await qos.http.put("/f", **body)).status_code == 401
    for scopes in (["storage.read:/"], ["storage.create:/other"], ["storage.create:/f/below"], ["operator"]):
        answer = await qos.http.put("/f", content=b"x", headers=qos.auth(*scopes))
        assert answer.status_code == 403, scopes
    assert (await qos.http.put("/f", content=b"x", headers=qos.auth("storage.create:/f"))).status_code == 201
    # who may create may not replace, delete or move
    assert (await qos.http.put("/f", content=b"y", headers=qos.auth("storage.create:/f"))).status_code == 403
    assert (await qos.http.delete("/f", headers=qos.auth("storage.create:/f"))).status_code == 403
    assert (await qos.http.delete("/f")).status_code == 401
    assert (await qos.http.delete("/f", headers=qos.auth("storage.modify:/f"))).status_code == 204


async def test_prefixes_of_scopes_are_segments(qos):
    await qos.store("/foobar", b"x")
    for scope in ("storage.read:/foo", "storage.modify:/foobar/below"):
        answer = await qos.http.get("/foobar?value", headers=qos.auth(scope))
        assert answer.status_code == 403, scope


async def test_values_need_a_right_and_metadata_do_not(qos):
    await qos.store("/f", b"secret", "text/plain")
    assert (await qos.http.get("/f")).json()["metadata"]["cdmi_size"] == "6"
    assert (await qos.http.get("/f?value")).status_code == 401
    assert (await qos.http.get("/f", headers={"accept": "text/plain"})).status_code == 401
    assert (await qos.http.get("/f?value", headers=qos.auth("storage.create:/"))).status_code == 403
    for scope in ("storage.read:/", "operator", "qos:change"):
        assert (await qos.http.get("/f?value", headers=qos.auth(scope))).json() == {"value": "secret"}
    strict = {"x-cdmi-specification-version": "1.1.1"}
    assert "value" not in (await qos.http.get("/f", headers=strict)).json()


@pytest.mark.parametrize("path", ["/cdmi_mine", "/box/cdmi_x", "/api/x", "/events/x", "/docs/", "/.indigo/x"])
async def test_reserved_names(qos, path):
    for method in ("PUT", "DELETE"):
        answer = await qos.http.request(method, path, headers=qos.auth())
        assert answer.status_code in {400, 405}, (method, path)
    assert (await qos.cdmi("/"))["children"] == []
    assert (await qos.http.delete("/", headers=qos.auth())).status_code == 400


@pytest.mark.parametrize("path", ["/a%2Fb", "/a/%2e%2e/b", "/a//b", "/a%5Cb", "/a%3Fb"])
async def test_paths_that_are_none(qos, path):
    answer = await qos.http.put(path, content=b"x", headers=qos.auth())
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reference": ""}, "/reference"),
        ({"exports": {}}, "/exports"),
        ({"domainURI": "/cdmi_domains/x/"}, "/domainURI"),
        ({"metadata": []}, "/metadata"),
        ({"mimetype": "text/plain\r\nx: y"}, "/mimetype"),
        ({"valuetransferencoding": "hex", "value": ""}, "/valuetransferencoding"),
        ({"valuetransferencoding": "base64", "value": "?"}, "/value"),
    ],
)
async def test_bodies_the_gateway_does_not_act_on(qos, body, pointer):
    headers = qos.auth() | {"content-type": "application/cdmi-object"}
    answer = await qos.http.put("/f", content=json.dumps(body), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await qos.http.get("/f")).status_code == 404


@pytest.mark.parametrize("body", [b"{", b'{"a":1,"a":2}', b'{"value":"\\u0000"}', b"[]", b"\xff"])
async def test_bodies_that_are_no_json_object(qos, body):
    headers = qos.auth() | {"content-type": "application/cdmi-object"}
    assert (await qos.http.put("/f", content=body, headers=headers)).status_code == 400
    large = await qos.http.put("/f", content=b'{"value":"' + b"x" * (5 << 20) + b'"}', headers=headers)
    assert large.status_code == 413


async def test_an_object_cannot_become_a_container_or_hold_one(qos):
    await qos.store("/f", b"x")
    assert (await qos.http.put("/f/below", content=b"x", headers=qos.auth())).status_code == 409
    assert (await qos.http.put("/f/", headers=qos.auth())).status_code == 409
    await qos.store("/box/f", b"x")
    assert (await qos.http.put("/box", content=b"x", headers=qos.auth())).status_code == 409
    assert (await qos.http.put("/box/", content=b"x", headers=qos.auth())).status_code == 400


async def test_a_container_goes_with_everything_and_its_successor_is_another(qos):
    await qos.store("/box/deep/f", b"x")
    before = (await qos.cdmi("/box/deep/f"))["objectID"]
    assert (await qos.http.delete("/box", headers=qos.auth("storage.modify:/box/"))).status_code == 204
    assert (await qos.http.get("/box/deep/f")).status_code == 404
    assert (await qos.http.get(f"/cdmi_objectid/{before}")).status_code == 404
    await qos.store("/box/deep/f", b"y")
    assert (await qos.cdmi("/box/deep/f"))["objectID"] != before


async def test_nothing_is_written_or_deleted_while_it_moves(qos):
    await qos.store("/box/f", b"x")
    await qos.change("/box", "/cdmi_capabilities/container/TapeOnly")
    assert (await qos.http.put("/box/f", content=b"y", headers=qos.auth())).status_code == 409
    assert (await qos.http.delete("/box/f", headers=qos.auth())).status_code == 409
    await qos.work_off()
    assert (await qos.http.delete("/box/f", headers=qos.auth())).status_code == 204


async def test_the_back_ends_are_listed_and_healthy(qos):
    (posix,) = (await qos.http.get("/api/backends")).json()
    assert (posix["name"], posix["type"], posix["mount"], posix["usable"]) == ("posix", "POSIX", "/", True)
    assert len(posix["classes"]) == 6
    assert (await qos.http.get("/readyz/backend-posix")).status_code == 200


async def test_the_storage_is_asked_once_about_what_is_read(qos, monkeypatch):
    await qos.store("/f", b"bytes")
    asked = []
    real = PosixBackend._look

    def look(self, paths):
        asked.extend(paths)
        return real(self, paths)

    monkeypatch.setattr(PosixBackend, "_look", look)
    read = await qos.http.get("/f", headers=qos.auth() | {"accept": "*/*", "range": "bytes=1-2"})
    assert (read.content, asked) == (b"yt", ["/f"])


@pytest.mark.parametrize(("error", "status"), [(DatabaseAway("gone"), 503), (RuntimeError("a bug"), 500)])
async def test_errors_of_reads_are_told_as_everywhere(qos, error, status):
    class Broken:
        async def find(self, paths):
            raise error

    service = qos.runtime.api.state.gateway
    broken = replace(service.gateway, sightings=Sightings(service.gateway.mounts, Broken()))
    qos.runtime.api.state.gateway = replace(service, gateway=broken)
    answer = await qos.http.get("/f")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["trace_id"] == answer.headers["traceparent"].split("-")[1]
    assert "a bug" not in answer.text
    assert (answer.headers.get("retry-after") is not None) == (status == 503)
