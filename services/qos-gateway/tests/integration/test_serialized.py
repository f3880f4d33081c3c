"""Objects and containers as one serialized object, and back."""

import base64
import json

import pytest

STRICT = {"x-cdmi-specification-version": "1.1.1"}


async def put(qos, path, **body):
    kind = "container" if path.endswith("/") else "object"
    headers = qos.auth() | STRICT | {"content-type": f"application/cdmi-{kind}"}
    return await qos.http.put(path, content=json.dumps(body), headers=headers)


def entry(name, value="x", **more):
    return {"objectType": "application/cdmi-object", "objectName": name, "value": value, **more}


def tree(*children, **more):
    return {"objectType": "application/cdmi-container", "objectName": "c/", "children": [*children], **more}


async def from_value(qos, path, document):
    return await put(qos, path, deserializevalue=base64.b64encode(json.dumps(document).encode()).decode())


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
        {"objectType": "application/cdmi-queue", "objectName": "q"},
        {"objectName": "f"},
        "f",
        None,
    ],
    ids=range(19),
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
