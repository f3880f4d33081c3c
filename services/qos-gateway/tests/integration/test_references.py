"""References, objects without a container, bodies in parts, and objects that come in parts."""

import json

import pytest

STRICT = {"x-cdmi-specification-version": "1.1.1"}
OBJECT = {"content-type": "application/cdmi-object"}
MULTIPART = {"content-type": 'multipart/mixed; boundary="b1"'}


async def put(qos, path, body, **headers):
    text = json.dumps(body) if isinstance(body, dict) else body
    return await qos.http.put(path, content=text, headers=qos.auth() | STRICT | OBJECT | headers)


def parts(*bodies, types=("application/cdmi-object", "text/csv")):
    made = b""
    for kind, body in zip(types, bodies, strict=False):
        made += b"--b1\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + body + b"\r\n"
    return made + b"--b1--\r\n"


async def test_a_reference_leads_elsewhere(qos):
    await qos.store("/box/f", b"x")
    assert (await put(qos, "/box/r", {"reference": "/box/f"})).status_code == 201
    for call in (
        qos.http.get("/box/r", headers=STRICT),
        qos.http.get("/box/r"),
        qos.http.get("/box/r?"),
        put(qos, "/box/r", {"value": "y"}),
        qos.http.post("/box/r", content=b"y", headers=qos.auth()),
    ):
        answer = await call
        assert (answer.status_code, answer.headers["location"]) == (302, "/box/f")
    assert (await qos.http.get("/box/", headers=STRICT)).json()["children"] == ["f", "r?"]
    assert (await qos.http.delete("/box/r", headers=qos.auth())).status_code == 204
    assert (await qos.http.get("/box/r")).status_code == 404
    assert (await qos.http.get("/box/f")).status_code == 200, "what it led to is there"


@pytest.mark.parametrize(
    "target",
    [
        "",
        "//evil.example.org",
        "ftp://x/y",
        "javascript:alert(1)",
        "box/f",
        "http://",
        "/a\r\nSet-Cookie: x",
        "/\u0000",
        "/é",
    ],
)
async def test_addresses_no_reference_has(qos, target):
    answer = await put(qos, "/r", {"reference": target})
    assert answer.status_code == 400
    assert (await qos.http.get("/r")).status_code == 404


@pytest.mark.parametrize(
    "also", [{"value": "x"}, {"copy": "/f"}, {"serialize": "/f"}, {"deserializevalue": "e30="}]
)
async def test_one_thing_makes_an_object(qos, also):
    assert (await put(qos, "/r", {"reference": "/f"} | also)).status_code == 400


async def test_names_and_rights_are_those_of_objects(qos):
    body = {"reference": "/f"}
    assert (await put(qos, "/cdmi_r", body)).status_code == 400
    assert (await put(qos, "/api/r", body)).status_code == 400
    assert (await put(qos, "/a%2Fb", body)).status_code == 400
    assert (await put(qos, "/..%2Fb", body)).status_code == 400
    assert (await put(qos, "/a%0Ab", body)).status_code == 400
    headers = STRICT | OBJECT
    assert (await qos.http.put("/r", content=json.dumps(body), headers=headers)).status_code == 401
    reader = qos.auth("storage.read:/")
    assert (await qos.http.put("/r", content=json.dumps(body), headers=headers | reader)).status_code == 403


async def test_an_object_that_is_nowhere(qos):
    made = await qos.http.post("/cdmi_objectid/", content=b"bytes", headers=qos.auth() | {"content-type": "x/y"})
    assert made.status_code == 201
    path = made.headers["location"].removeprefix("http://gateway.example.org")
    assert (await qos.http.get(path, headers=qos.auth() | {"accept": "x/y"})).content == b"bytes"
    found = (await qos.http.get(path, headers=STRICT)).json()
    assert {"objectName", "parentURI", "parentID"}.isdisjoint(found)
    assert found["objectID"] == path.rpartition("/")[2]
    assert (await put(qos, path, {"metadata": {"a": "b"}})).status_code == 204
    assert (await qos.http.get("/", headers=STRICT)).json()["children"] == []
    assert (await put(qos, "/cdmi_objectid/own", {"value": "x"})).status_code == 404
    assert (await qos.http.delete(path, headers=qos.auth())).status_code == 204
    assert (await qos.http.get(path)).status_code == 404


async def test_json_and_bytes_go_in_and_out_together(qos):
    data = bytes(range(256)) * 5000 + b"\r\n--b\r\n--b0x\r\n--"
    body = parts(b'{"metadata": {"a": "b"}}', data)
    assert (await put(qos, "/f", body, **MULTIPART)).status_code == 201
    found = await qos.http.get("/f", headers=qos.auth() | STRICT | {"accept": "multipart/mixed"})
    boundary = found.headers["content-type"].partition("boundary=")[2].encode()
    _, first, second, _ = found.content.split(b"--" + boundary)
    assert json.loads(first.partition(b"\r\n\r\n")[2])["metadata"]["a"] == "b"
    head, _, value = second.partition(b"\r\n\r\n")
    assert b"text/csv" in head
    assert value == data + b"\r\n"
    placed = parts(b"{}", b"XY").replace(b"text/csv\r\n", b"text/csv\r\nContent-Range: bytes 1-2/9\r\n")
    assert (await put(qos, "/f", placed, **MULTIPART)).status_code == 204
    part = await qos.http.get("/f", headers=qos.auth() | {"range": "bytes=0-3"})
    assert part.content == b"\0XY\3"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary",
        b"--b1--\r\n",
        parts(b"{}", b"x")[:-8],
        parts(b"{}", b"x", types=("text/plain", "text/csv")),
        parts(b"{", b"x"),
        parts(b'{"value": "x"}', b"x"),
        parts(b"{}", b"x", b"y", types=("application/cdmi-object", "text/csv", "text/csv")),
        parts(b"{}", b"x", types=("application/cdmi-object", "no type")),
        b"--b1\r\nno header\r\n\r\n{}\r\n--b1--\r\n",
        b"--b1\r\nA: " + b"x" * 9000 + b"\r\n\r\n{}\r\n--b1--\r\n",
        parts(b"{}", b"eA==").replace(b"text/csv", b"text/csv\r\nContent-Transfer-Encoding: base64"),
    ],
    ids=range(12),
)
async def test_bodies_in_parts_that_cannot_be_read(qos, body):
    answer = await put(qos, "/f", body, **MULTIPART)
    assert answer.status_code == 400, answer.text
    assert (await qos.http.get("/f")).status_code == 404, "nothing was stored"


async def test_a_body_in_parts_names_its_boundary(qos):
    for kind in ("multipart/mixed", 'multipart/mixed; boundary=""', "multipart/mixed; boundary=" + "x" * 71):
        answer = await qos.http.put("/f", content=b"", headers=qos.auth() | STRICT | {"content-type": kind})
        assert answer.status_code == 400


async def test_an_object_comes_in_parts(qos):
    more = {"x-cdmi-partial": "true", "content-type": "text/plain"}
    assert (await qos.http.put("/f", content=b"first ", headers=qos.auth() | more)).status_code == 201
    found = (await qos.http.get("/f", headers=qos.auth() | STRICT)).json()
    assert (found["completionStatus"], "value" in found) == ("Processing", False)
    for path, headers in (("/f?value", STRICT), ("/f", {"accept": "text/plain"})):
        assert (await qos.http.get(path, headers=qos.auth() | headers)).status_code == 409
    last = {"content-range": "bytes 6-9/10", "content-type": "text/plain"}
    assert (await qos.http.put("/f", content=b"last", headers=qos.auth() | last)).status_code == 204
    found = (await qos.http.get("/f", headers=qos.auth() | STRICT)).json()
    assert (found["completionStatus"], found["value"]) == ("Complete", "first last")
    wrong = qos.auth() | {"x-cdmi-partial": "maybe"}
    assert (await qos.http.put("/g", content=b"", headers=wrong)).status_code == 400
    body = {"value": "x"}
    assert (await put(qos, "/h", body, **{"x-cdmi-partial": "true"})).json()["completionStatus"] == "Processing"
    assert (await put(qos, "/h?value:1-1", {"value": "eQ=="})).status_code == 204
    assert (await qos.http.get("/h?value", headers=qos.auth())).json() == {"value": "xy"}


async def test_several_ranges_come_in_parts_only(qos):
    await qos.store("/f", b"0123456789", "text/plain")
    for query, status in (
        ("value:0-1;value:4-5", 400),
        ("value:10-11", 400),
        ("value:2-1", 400),
        ("value:8-99", 200),
    ):
        answer = await qos.http.get(f"/f?{query}", headers=qos.auth() | STRICT)
        assert answer.status_code == status, query
    accept = {"accept": "multipart/mixed"}
    found = await qos.http.get("/f?value:0-1;value:8-99", headers=qos.auth() | STRICT | accept)
    assert b"bytes 0-1/10\r\nContent-Transfer-Encoding: binary\r\n\r\n01\r\n" in found.content
    assert b"bytes 8-9/10\r\nContent-Transfer-Encoding: binary\r\n\r\n89\r\n" in found.content
    assert (await qos.http.get("/f?value:10-11", headers=qos.auth() | STRICT | accept)).status_code == 400
    assert (await qos.http.get("/f", headers=STRICT | accept)).status_code == 401


async def test_a_source_may_be_named_by_its_identifier(qos):
    await qos.store("/f", b"x", "text/plain")
    named = (await qos.cdmi("/f"))["objectID"]
    assert (await put(qos, "/g", {"copy": f"/cdmi_objectid/{named}"})).status_code == 201
    assert (await qos.http.get("/g?value", headers=qos.auth())).json() == {"value": "x"}
    made = await qos.http.post("/cdmi_objectid/", content=b"bytes", headers=qos.auth() | {"content-type": "x/y"})
    path = made.headers["location"].removeprefix("http://gateway.example.org")
    assert (await put(qos, "/h", {"move": path})).status_code == 201
    assert (await qos.cdmi("/h"))["objectID"] == path.rpartition("/")[2], "it got a name and kept its identifier"
    assert (await put(qos, "/i", {"copy": "/cdmi_objectid/00007ED90010"})).status_code == 404
