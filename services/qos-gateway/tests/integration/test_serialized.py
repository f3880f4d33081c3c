"""Objects and containers as one serialized object, and back."""

import base64
import json

import pytest

STRICT = {"x-cdmi-specification-version": "1.1.1"}


async def put(qos, path, **body):
    kind = body.pop("kind", "container" if path.endswith("/") else "object")
    headers = qos.auth() | STRICT | {"content-type": f"application/cdmi-{kind}"}
    return await qos.http.put(path, content=json.dumps(body), headers=headers)


def entry(name, value="x", **more):
    return {"objectType": "application/cdmi-object", "objectName": name, "value": value, **more}


def tree(*children, **more):
    return {"objectType": "application/cdmi-container", "objectName": "c/", "children": [*children], **more}


def queue(name, told, **more):
    lists = dict(zip(("mimetype", "valuetransferencoding", "value"), told, strict=True))
    return {"objectType": "application/cdmi-queue", "objectName": name, **lists, **more}


async def from_value(qos, path, document):
    return await put(qos, path, deserializevalue=base64.b64encode(json.dumps(document).encode()).decode())


async def test_what_is_not_complete_is_not_read_in(qos):
    for path, document in (("/s", entry("f")), ("/q", queue("q", ([], [], [])))):
        more = qos.auth() | {"x-cdmi-partial": "true"}
        assert (await qos.http.put(path, content=json.dumps(document), headers=more)).status_code == 201
    assert (await put(qos, "/f", deserialize="/s")).status_code == 409
    assert (await put(qos, "/g", kind="queue", deserialize="/q")).status_code == 409


async def test_a_container_and_back(qos):
    await put(qos, "/box/", metadata={"colour": "blue"})
    await put(qos, "/box/text", value="héllo", metadata={"a": {"b": ["c"]}}, mimetype="text/csv")
    await qos.store("/box/in/bytes", b"\0\xff")
    await put(qos, "/box/empty/")
    assert (await put(qos, "/kept.json", serialize="/box/")).status_code == 201
    stored = json.loads((await qos.http.get("/kept.json", headers=qos.auth() | {"accept": "x/y"})).content)
    assert (stored["objectType"], stored["metadata"]) == ("application/cdmi-container", {"colour": "blue"})
    assert [each["objectName"] for each in stored["children"]] == ["empty/", "in/", "text"]
    assert stored["children"][2]["value"] == "héllo"
    for path, source in (("/again/", {"deserialize": "/kept.json"}), ("/twice/", None)):
        answer = await (put(qos, path, **source) if source else from_value(qos, path, stored))
        assert answer.status_code == 201, answer.text
        assert answer.json()["children"] == ["empty/", "in/", "text"]
        assert (await qos.cdmi(path))["metadata"]["colour"] == "blue"
        text = (await qos.http.get(path + "text", headers=qos.auth() | STRICT)).json()
        assert (text["value"], text["mimetype"], text["metadata"]["a"]) == ("héllo", "text/csv", {"b": ["c"]})
        assert (await qos.http.get(path + "in/bytes", headers=qos.auth() | {"accept": "x/y"})).content == b"\0\xff"
    assert (await put(qos, "/again/", deserialize="/kept.json")).status_code == 409


async def test_one_object_and_back_with_other_metadata(qos):
    await put(qos, "/f", value="x", metadata={"a": "1", "b": "2"})
    await put(qos, "/s", serialize="/f")
    answer = await put(qos, "/g", deserialize="/s", metadata={"b": "3"})
    assert answer.status_code == 201
    metadata = (await qos.cdmi("/g"))["metadata"]
    assert (metadata["a"], metadata["b"]) == ("1", "3")
    assert (await put(qos, "/box/", deserialize="/s")).status_code == 409, "an object is no container"


async def test_what_text_json_cannot_hold_is_base64(qos):
    headers = qos.auth() | {"content-type": "text/plain;charset=utf-8"}
    assert (await qos.http.put("/f", content=b"a\0b", headers=headers)).status_code == 201
    await put(qos, "/s", serialize="/f")
    stored = json.loads((await qos.http.get("/s", headers=qos.auth() | {"accept": "x/y"})).content)
    assert (stored["valuetransferencoding"], stored["value"]) == ("base64", "YQBi")
    assert (await put(qos, "/g", deserialize="/s")).status_code == 201
    assert (await qos.http.get("/g", headers=qos.auth() | {"accept": "x/y"})).content == b"a\0b"


async def test_queues_and_references_and_back(qos):
    await put(qos, "/box/in/")
    await put(qos, "/box/in/q", kind="queue", metadata={"colour": "blue"})
    values = {
        "mimetype": ["text/csv", "x/y"],
        "valuetransferencoding": ["utf-8", "base64"],
        "value": ["é", "AP8="],
    }
    headers = qos.auth() | STRICT | {"content-type": "application/cdmi-queue"}
    assert (await qos.http.post("/box/in/q", content=json.dumps(values), headers=headers)).status_code == 204
    await qos.http.delete("/box/in/q?value", headers=qos.auth() | STRICT)
    await put(qos, "/box/empty", kind="queue")
    await put(qos, "/box/r", reference="https://example.org/a?b=c")
    await put(qos, "/s", serialize="/box/")
    stored = json.loads((await qos.http.get("/s", headers=qos.auth() | {"accept": "x/y"})).content)
    assert [each["objectName"] for each in stored["children"]] == ["empty", "in/", "r?"]
    (kept,) = stored["children"][1]["children"]
    assert {key: kept[key] for key in ("objectType", "queueValues", "mimetype", "value", "metadata")} == {
        "objectType": "application/cdmi-queue",
        "queueValues": "0-0",
        "mimetype": ["x/y"],
        "value": ["AP8="],
        "metadata": {"colour": "blue"},
    }
    answer = await put(qos, "/again/", deserialize="/s")
    assert (answer.status_code, answer.json()["children"]) == (201, ["empty", "in/", "r?"])
    made = (await qos.http.get("/again/in/q", headers=qos.auth() | STRICT)).json()
    assert (made["value"], made["mimetype"], made["metadata"]["colour"]) == (["AP8="], ["x/y"], "blue")
    assert (await qos.http.get("/again/empty", headers=qos.auth() | STRICT)).json()["queueValues"] == ""
    led = await qos.http.get("/again/r")
    assert (led.status_code, led.headers["location"]) == (302, "https://example.org/a?b=c")
    assert made["objectID"] != (await qos.http.get("/box/in/q", headers=qos.auth() | STRICT)).json()["objectID"]


async def test_what_a_query_found_is_found_again_and_not_twice(qos):
    await qos.store("/f", b"x")
    query = {
        "cdmi_queue_type": "cdmi_query_queue",
        "cdmi_scope_specification": [{"objectName": "== f"}],
        "cdmi_results_specification": {"objectName": ""},
    }
    await put(qos, "/box/")
    assert (await put(qos, "/box/q", kind="queue", metadata=query)).status_code == 201
    await qos.work_off()
    await put(qos, "/s", serialize="/box/")
    await put(qos, "/t", serialize="/box/q")
    await put(qos, "/again/", deserialize="/s")
    await put(qos, "/q", kind="queue", deserialize="/t")
    await qos.work_off()
    for path in ("/box/q", "/again/q", "/q"):
        shown = (await qos.http.get(f"{path}?values:9;metadata", headers=qos.auth() | STRICT)).json()
        assert shown["metadata"]["cdmi_query_status"] == "Current"
        assert [json.loads(each) for each in shown["value"]] == [{"objectName": "f"}], path


async def test_a_queue_by_itself_and_back(qos):
    await put(qos, "/q", kind="queue")
    headers = qos.auth() | STRICT | {"content-type": "application/cdmi-queue"}
    await qos.http.post("/q", content=json.dumps({"value": ["1", "2"]}), headers=headers)
    assert (await put(qos, "/s", serialize="/q")).status_code == 201
    stored = (await qos.http.get("/s", headers=qos.auth() | {"accept": "x/y"})).content
    for path, source in (
        ("/a", {"deserialize": "/s"}),
        ("/b", {"deserializevalue": base64.b64encode(stored).decode()}),
    ):
        answer = await put(qos, path, kind="queue", **source, metadata={"colour": "red"})
        assert (answer.status_code, answer.json()["metadata"]) == (201, {"colour": "red"})
        assert (await qos.http.get(f"{path}?values:2", headers=qos.auth() | STRICT)).json()["value"] == ["1", "2"]
        assert (await put(qos, path, kind="queue", **source)).status_code == 409
    assert (await put(qos, "/c", kind="queue", deserialize="/s", copy="/q")).status_code == 400
    assert (await put(qos, "/c", deserialize="/s")).status_code == 409, "a queue is no object"
    await put(qos, "/t", serialize="/s")
    assert (await put(qos, "/c", kind="queue", deserialize="/t")).status_code == 409, "an object is no queue"
    await put(qos, "/r", kind="queue", reference="/q")
    assert (await qos.http.get("/r")).headers["location"] == "/q"
    assert (await put(qos, "/u", serialize="/r")).status_code == 409


@pytest.mark.parametrize(
    "child",
    [
        entry("../f"),
        entry(".."),
        entry("."),
        entry("a/b"),
        entry("/etc"),
        entry("a?"),
        entry(""),
        entry("nul\0"),
        entry("new\nline"),
        entry("cdmi_f"),
        entry(7),
        entry("f", value=7),
        entry("f", value="?", valuetransferencoding="base64"),
        entry("f", metadata=[]),
        entry("f", metadata={"cdmi_geographic_placement": ["nowhere at all"]}),
        entry("f", value=[]),
        entry("f", value="?", valuetransferencoding="utf-16"),
        entry("f", mimetype="text/plain\r\nset-cookie: a=b"),
        entry("f", mimetype="text/plain; \n"),
        entry("f", mimetype="é/é"),
        entry("f", mimetype="text/" + "x" * 255),
        entry("f", metadata={"a": "\0"}),
        entry("f", metadata={"a": "\ud800"}),
        entry("f", metadata={"a": 2**64}),
        queue("q", [["text/plain"], ["utf-8"], []]),
        queue("q", [["text/plain"], ["utf-8"], [7]]),
        queue("q", [["text/plain"], "utf-8", ["x"]]),
        queue("q", [["text"], ["utf-8"], ["x"]]),
        queue("q", [["text/plain"], ["base64"], ["x"]]),
        queue("q", [["text/plain"], ["utf-8"], ["x" * (1024 * 1024 + 1)]]),
        queue("q?", [[], [], []]),
        queue("q", [[], [], []], metadata={"cdmi_queue_type": "cdmi_query_queue"}),
        {"objectName": "r?", "reference": "javascript:alert(1)"},
        {"objectName": "r?", "reference": None},
        {"objectName": "../r?", "reference": "/f"},
        {"objectName": "?", "reference": "/f"},
        {"objectType": "application/cdmi-domain", "objectName": "d/"},
        {"objectName": "f"},
        "f",
        None,
    ],
    ids=range(40),
)
async def test_what_no_container_holds(qos, child):
    answer = await from_value(qos, "/box/", tree(entry("good"), child))
    assert answer.status_code == 400, answer.text
    assert (await qos.http.get("/box")).status_code == 404, "all is checked before the first object is made"


async def test_bounds(qos):
    many = tree(*(entry(str(number)) for number in range(1001)))
    assert (await from_value(qos, "/box/", many)).status_code == 400
    deep = tree()
    for _ in range(40):
        deep = tree(deep)
    assert (await from_value(qos, "/box/", deep)).status_code == 400
    assert (await from_value(qos, "/box/", tree(entry("a"), entry("a")))).status_code == 400
    headers = qos.auth() | STRICT | {"content-type": "application/cdmi-container"}
    for value in ('"?"', '"bm90IGpzb24="', "7", '"e30="'):
        answer = await qos.http.put("/box/", content=f'{{"deserializevalue": {value}}}', headers=headers)
        assert answer.status_code == 400
    await qos.store("/big", b"0" * (33 * 1024 * 1024))
    assert (await put(qos, "/s", serialize="/big")).status_code == 400
    assert (await put(qos, "/box/", deserialize="/big")).status_code == 400
    assert (await put(qos, "/s", serialize="/none")).status_code == 404
    assert (await put(qos, "/s/", serialize="/big")).status_code == 400
    for source in ("/../etc", "box", ""):
        assert (await put(qos, "/s", serialize=source)).status_code == 400


async def test_who_may_not_read_does_not_serialize(qos):
    await qos.store("/f", b"x")
    headers = STRICT | {"content-type": "application/cdmi-object"}
    writer = qos.auth("storage.create:/out")
    answer = await qos.http.put("/out/s", content='{"serialize": "/f"}', headers=headers | writer)
    assert answer.status_code == 403
