"""Queues as clients use them: values in, out and from one to another; what is refused."""

import base64
import json

import pytest

STRICT = {"x-cdmi-specification-version": "1.1.1"}
QUEUE = {"content-type": "application/cdmi-queue"}
OBJECT = {"content-type": "application/cdmi-object"}


async def make(qos, path, **body):
    answer = await qos.http.put(path, content=json.dumps(body), headers=qos.auth() | STRICT | QUEUE)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def send(qos, path, **body):
    return await qos.http.post(path, content=json.dumps(body), headers=qos.auth() | STRICT | OBJECT)


async def read(qos, path, query=""):
    answer = await qos.http.get(path + query, headers=qos.auth() | STRICT)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def queue(qos):
    await qos.http.put("/box/", headers=qos.auth())
    made = await make(qos, "/box/q", metadata={"colour": "blue"})
    answer = await send(qos, "/box/q", value=["one", "two", "three", "four"])
    assert answer.status_code == 204
    return made


async def test_values_come_out_in_the_order_they_went_in(qos, queue):
    assert (await read(qos, "/box/q"))["value"] == ["one"]
    found = await read(qos, "/box/q", "?queueValues;values:3;mimetype")
    assert found == {"queueValues": "1-4", "mimetype": ["text/plain"] * 3, "value": ["one", "two", "three"]}
    assert (await read(qos, "/box/q", "?values:2-3"))["value"] == ["two", "three"]
    assert (await qos.http.delete("/box/q?values:2", headers=qos.auth() | STRICT)).status_code == 204
    assert (await read(qos, "/box/q", "?value;queueValues")) == {"queueValues": "3-4", "value": ["three"]}
    assert (await qos.http.delete("/box/q?values:3-4", headers=qos.auth() | STRICT)).status_code == 204
    assert (await read(qos, "/box/q"))["queueValues"] == ""
    assert (await qos.http.delete("/box/q?value", headers=qos.auth() | STRICT)).status_code == 404
    assert (await send(qos, "/box/q", value="five")).status_code == 204
    assert (await read(qos, "/box/q"))["queueValues"] == "5-5", "a number is never given twice"


async def test_a_range_of_the_oldest_value(qos, queue):
    found = await read(qos, "/box/q", "?value:1-9;valuerange")
    assert found == {"valuerange": ["1-2"], "value": [base64.b64encode(b"ne").decode()]}
    accept = {"accept": "multipart/mixed"}
    parts = await qos.http.get("/box/q?value:1-9", headers=qos.auth() | STRICT | accept)
    assert b"Content-Range: bytes 1-2/3\r\nContent-Transfer-Encoding: binary\r\n\r\nne\r\n" in parts.content
    for form in ({}, accept):
        answer = await qos.http.get("/box/q?value:3-9", headers=qos.auth() | STRICT | form)
        assert answer.status_code == 400


async def test_it_is_in_its_container_and_found_by_its_identifier(qos, queue):
    await qos.store("/box/p", b"x")
    assert (await read(qos, "/box/"))["children"] == ["p", "q"]
    by_id = await read(qos, f"/cdmi_objectid/{queue['objectID']}")
    assert (by_id["objectName"], by_id["parentURI"]) == ("q", "/box/")
    assert by_id["capabilitiesURI"] == "/cdmi_capabilities/queue/"
    offered = await read(qos, "/cdmi_capabilities/queue/")
    assert offered["capabilities"]["cdmi_modify_value"] == "true"
    assert (await qos.http.get("/box/q/", headers=STRICT)).status_code == 404


async def test_it_goes_and_moves_with_its_container(qos, queue):
    headers = qos.auth() | STRICT | {"content-type": "application/cdmi-container"}
    moved = await qos.http.put("/chest/", content=json.dumps({"move": "/box/"}), headers=headers)
    assert moved.status_code == 201
    assert (await read(qos, "/chest/q"))["objectID"] == queue["objectID"]
    assert (await qos.http.get("/box/q", headers=STRICT)).status_code == 404
    assert (await read(qos, "/chest/"))["children"] == ["q"]
    assert (await qos.http.delete("/chest/", headers=qos.auth() | STRICT)).status_code == 204
    assert (await qos.http.get("/chest/q", headers=STRICT)).status_code == 404
    assert await qos.rows("SELECT 1 FROM queue_values") == []


async def test_metadata_change_and_values_stay(qos, queue):
    put = qos.http.put("/box/q", content='{"metadata": {"size": "10"}}', headers=qos.auth() | STRICT | QUEUE)
    assert (await put).status_code == 204
    found = await read(qos, "/box/q", "?metadata;queueValues")
    assert found == {"metadata": {"size": "10"}, "queueValues": "1-4"}
    body = '{"metadata": {"shape": "round"}}'
    put = qos.http.put("/box/q?metadata:shape", content=body, headers=qos.auth() | STRICT | QUEUE)
    assert (await put).status_code == 204
    assert (await read(qos, "/box/q", "?metadata:sh")) == {"metadata": {"shape": "round"}}
    assert (await read(qos, "/box/q", "?metadata"))["metadata"] == {"size": "10", "shape": "round"}


@pytest.mark.parametrize("kind", ["text/plain", "application/cdmi-object", ""])
async def test_a_queue_is_changed_with_its_own_type(qos, queue, kind):
    headers = qos.auth() | {"x-cdmi-specification-version": "2.0", "content-type": kind}
    body = '{"metadata": {"colour": "red"}}'
    assert (await qos.http.patch("/box/q", content=body, headers=headers)).status_code == 400
    assert (await read(qos, "/box/q", "?metadata"))["metadata"] == {"colour": "blue"}


async def test_a_queue_is_copied_and_values_are_moved(qos, queue):
    made = await make(qos, "/box/copy", copy="/box/q")
    assert made["queueValues"] == "1-4"
    await make(qos, "/box/other")
    assert (await send(qos, "/box/other", move="/box/q")).status_code == 204
    assert (await read(qos, "/box/other"))["value"] == ["one"]
    assert (await read(qos, "/box/q"))["queueValues"] == "2-4"
    assert (await send(qos, "/box/other", copy="/box/q?values:2")).status_code == 204
    assert (await read(qos, "/box/other", "?values:9"))["value"] == ["one", "two", "three"]
    for source, status in (("/box/q?values:3-4", 400), ("/box/q?values:90-99", 404), ("/box/other", 400)):
        assert (await send(qos, "/box/other", move=source)).status_code == status
    assert (await read(qos, "/box/q"))["queueValues"] == "2-4", "nothing left it"


async def test_names_of_sources_are_not_escaped(qos, queue):
    await qos.store("/box/100%2541", b"five", "text/plain")
    await qos.store("/box/%25ff", b"six", "text/plain")
    for name in ("100%41", "%ff"):
        answer = await send(qos, "/box/q", copy=f"/box/{name}")
        assert answer.status_code == 204, answer.text
    assert (await read(qos, "/box/q", "?values:9"))["value"][4:] == ["five", "six"]


async def test_an_object_and_a_queue_do_not_share_a_path(qos, queue):
    for kind in (OBJECT, {"content-type": "text/plain"}):
        assert (await qos.http.put("/box/q", content=b"{}", headers=qos.auth() | kind)).status_code == 409
    await qos.store("/box/f", b"x")
    assert (await qos.http.put("/box/f", content=b"{}", headers=qos.auth() | STRICT | QUEUE)).status_code == 409
    answer = await qos.http.put("/nowhere/q", content=b"{}", headers=qos.auth() | STRICT | QUEUE)
    assert answer.status_code == 404
    assert (await qos.http.put("/box/q/", content=b"{}", headers=qos.auth() | STRICT | QUEUE)).status_code == 400


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, None),
        ({"value": []}, None),
        ({"value": ["a", "b"], "mimetype": ["text/plain"]}, None),
        ({"value": ["a", "?"], "valuetransferencoding": "base64"}, "/value/0"),
        ({"value": "a", "valuetransferencoding": "hex"}, "/valuetransferencoding"),
        ({"value": "a", "mimetype": "text/plain\r\nx: y"}, "/mimetype"),
        ({"value": "a", "copy": "/box/q"}, None),
        ({"copy": "box/q"}, "/copy"),
        ({"copy": "/box/../q"}, "/copy"),
        ({"copy": "/box/q?values:x"}, "/copy"),
        ({"copy": "/box/q?%ff"}, "/copy"),
        ({"move": "/box/q?values:0"}, "/move"),
        ({"move": "/box/q?values:1;value"}, "/move"),
        ({"value": "x" * (1024 * 1024 + 1)}, None),
    ],
)
async def test_values_that_cannot_be_taken(qos, queue, body, pointer):
    answer = await send(qos, "/box/q", **body)
    assert answer.status_code == 400
    told = answer.json()
    assert told["message"] == told["detail"]
    if pointer:
        assert told["errors"][0]["pointer"].startswith(pointer)
    assert (await read(qos, "/box/q"))["queueValues"] == "1-4"


@pytest.mark.parametrize(
    "query", ["?values:0", "?values:2-3", "?values:x", "?value;values:1", "?mimetype", "?values:3-1"]
)
async def test_values_that_cannot_be_removed(qos, queue, query):
    assert (await qos.http.delete("/box/q" + query, headers=qos.auth() | STRICT)).status_code == 400
    assert (await read(qos, "/box/q"))["queueValues"] == "1-4"


async def test_a_full_queue_takes_nothing(start_qos):
    async with start_qos(queue_values=3, queue_bytes=1024) as qos:
        await make(qos, "/q")
        assert (await send(qos, "/q", value=["a", "b"])).status_code == 204
        assert (await send(qos, "/q", value=["c", "d"])).status_code == 409
        assert (await send(qos, "/q", value="x" * 1023)).status_code == 409
        assert (await read(qos, "/q"))["queueValues"] == "1-2"
        assert (await qos.http.delete("/q?value", headers=qos.auth())).status_code == 204
        assert (await send(qos, "/q", value="x" * 1023)).status_code == 204


async def test_who_may_not_read_sees_no_values(qos, queue):
    answer = await qos.http.get("/box/q", headers=STRICT)
    assert (answer.json()["queueValues"], "value" in answer.json()) == ("1-4", False)
    assert (await qos.http.get("/box/q?value", headers=STRICT)).status_code == 401
    reader = qos.auth("storage.read:/box")
    assert (await qos.http.get("/box/q?value", headers=STRICT | reader)).json() == {"value": ["one"]}
    for call in (
        qos.http.delete("/box/q?value", headers=STRICT | reader),
        qos.http.post("/box/q", content='{"value": "x"}', headers=STRICT | reader | OBJECT),
        qos.http.put("/box/new", content="{}", headers=STRICT | reader | QUEUE),
        qos.http.delete("/box/q", headers=STRICT | reader),
    ):
        assert (await call).status_code == 403


async def test_a_queue_without_a_container(qos):
    made = await qos.http.post("/cdmi_objectid/", content="{}", headers=qos.auth() | STRICT | QUEUE)
    assert made.status_code == 201
    path = made.headers["location"].removeprefix("http://gateway.example.org")
    assert {"objectName", "parentURI", "parentID"}.isdisjoint(made.json())
    assert (await send(qos, path, value="one")).status_code == 204
    assert (await read(qos, path))["value"] == ["one"]
    assert (await read(qos, "/"))["children"] == []
    assert (await qos.http.delete(path, headers=qos.auth())).status_code == 204
    assert (await qos.http.get(path)).status_code == 404


async def test_nothing_is_stored_below_a_queue_or_a_reference(qos, queue):
    await qos.store("/f", b"x")
    assert (
        await qos.http.put("/box/r", content='{"reference": "/f"}', headers=qos.auth() | OBJECT)
    ).status_code == 201
    for above in ("/box/q", "/box/r"):
        stored = await qos.http.put(f"{above}/f", content=b"x", headers=qos.auth())
        made = await qos.http.put(f"{above}/c/", headers=qos.auth())
        copied = await qos.http.put(f"{above}/g", content='{"copy": "/f"}', headers=qos.auth() | OBJECT)
        assert [each.status_code for each in (stored, made, copied)] == [409] * 3
    assert (await read(qos, "/box/q"))["value"] == ["one"]
    assert (await qos.http.get("/box/r")).status_code == 302
