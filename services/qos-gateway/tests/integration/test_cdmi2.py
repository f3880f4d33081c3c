"""Copies, moves, objects named by their identifier, and the PATCH of CDMI 2.0."""

import json

import pytest

V2 = {"x-cdmi-specification-version": "2.0"}
OBJECT = {"content-type": "application/cdmi-object"}


async def put(qos, path, scopes=("qos:change",), **body):
    kind = "container" if path.endswith("/") else "object"
    headers = qos.auth(*scopes) | {"content-type": f"application/cdmi-{kind}"}
    return await qos.http.put(path, content=json.dumps(body), headers=headers)


async def test_a_copy_has_an_identity_of_its_own(qos):
    await put(qos, "/a", value="the bytes", mimetype="text/plain", metadata={"colour": "blue", "shape": "round"})
    made = await put(qos, "/box/b", copy="/a", metadata={"shape": "square"})
    assert made.status_code == 201, made.text
    old, new = await qos.cdmi("/a"), await qos.cdmi("/box/b")
    assert old["objectID"] != new["objectID"]
    assert (new["metadata"]["colour"], new["metadata"]["shape"]) == ("blue", "square")
    assert (new["mimetype"], new["metadata"]["cdmi_hash"]) == ("text/plain", old["metadata"]["cdmi_hash"])


async def test_a_move_keeps_the_identity(qos):
    for name in ("f", "inner/g"):
        await qos.store(f"/box/{name}", b"x", "text/plain")
    known = {name: (await qos.cdmi(f"/box/{name}"))["objectID"] for name in ("", "f", "inner", "inner/g")}
    moved = await put(qos, "/there/", move="/box/")
    assert moved.status_code == 201, moved.text
    assert (await qos.http.get("/box")).status_code == 404
    for name, identifier in known.items():
        assert (await qos.cdmi(f"/there/{name}"))["objectID"] == identifier
    assert (await qos.cdmi(f"/cdmi_objectid/{known['f']}"))["parentURI"] == "/there"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/new", {"copy": "/none"}, 404),
        ("/new", {"copy": "a"}, 400),
        ("/new", {"copy": "/a", "move": "/a"}, 400),
        ("/new", {"copy": "/a", "value": "x"}, 400),
        ("/new", {"copy": "/box"}, 409),
        ("/a", {"copy": "/held"}, 409),
        ("/box/in/", {"copy": "/box"}, 409),
        ("/new/", {"move": "/"}, 400),
        ("/new", {"move": "/held"}, 403),
        ("/new", {"copy": "/tape"}, 503),
    ],
)
async def test_what_cannot_be_copied_or_moved(qos, path, body, status):
    await put(qos, "/a", value="x")
    await put(qos, "/held", value="x", metadata={"cdmi_hold_id": ["case 7"]})
    await put(qos, "/tape", value="x")
    await put(qos, "/box/")
    await qos.bring("/tape", "TapeOnly")
    answer = await put(qos, path, **body)
    assert answer.status_code == status, answer.text
    assert (await qos.http.get("/held")).status_code == 200
    assert (await qos.http.get("/new")).status_code == 404


async def test_who_may_copy_and_move(qos):
    await put(qos, "/a/f", value="x")
    for scopes, do, status in (
        (("storage.create:/b",), "copy", 403),
        (("storage.create:/b", "storage.read:/a"), "move", 403),
        (("storage.create:/b", "storage.read:/a"), "copy", 201),
    ):
        assert (await put(qos, "/b/f", scopes, **{do: "/a/f"})).status_code == status


async def test_parts_are_changed_with_patch(qos):
    await put(qos, "/f", value="x", metadata={"a": "1", "b": "2", "c": "3"})
    body = json.dumps({"metadata": {"a": "9", "b": None}})
    answer = await qos.http.patch("/f", content=body, headers=qos.auth() | V2 | OBJECT)
    assert answer.status_code == 204, answer.text
    assert answer.headers["x-cdmi-specification-version"] == "2.0"
    metadata = (await qos.cdmi("/f"))["metadata"]
    assert {key: metadata.get(key) for key in "abc"} == {"a": "9", "b": None, "c": "3"}
    for path, version, status in (("/f", "1.1.1", 400), ("/none", "2.0", 404)):
        headers = qos.auth() | OBJECT | {"x-cdmi-specification-version": version}
        assert (await qos.http.patch(path, content=body, headers=headers)).status_code == status
    assert (await qos.http.patch("/f", content=body, headers=V2 | OBJECT)).status_code == 401
    text = qos.auth() | V2 | {"content-type": "text/plain"}
    assert (await qos.http.patch("/f", content=body, headers=text)).status_code == 400


async def test_plain_bytes_are_posted_to_a_container(qos):
    await put(qos, "/box/")
    answer = await qos.http.post("/box/", content=b"abc", headers=qos.auth() | {"content-type": "text/plain"})
    assert answer.status_code == 201
    path = answer.headers["location"].removeprefix("http://gateway.example.org")
    assert (await qos.http.get(path, headers=qos.auth() | {"accept": "text/plain"})).content == b"abc"
    assert (await qos.http.post("/none/", content=b"abc", headers=qos.auth())).status_code == 404
    assert (await qos.http.post("/box/", content=b"abc")).status_code == 401
