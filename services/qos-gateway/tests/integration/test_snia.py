"""The examples of CDMI 1.1.1 and of its Capabilities Selection Extension, replayed.

Every example is either replayed here or named with the reason why it is not.
"""

import base64
import json

import pytest

OUT = {
    "object references (no capability for them)": [1, 2, 3],
    "without version header and Accept the INDIGO dialect answers": [5],
    "multipart bodies and answers": [12, 16, 17, 23],
    "exports": [30, 31, 54, 55],
    "objects without a container (POST to /cdmi_objectid/)": [33],
    "queues": [34, *range(39, 52)],
    "domains": [35, 36, 37, 38],
    "versions": [60, 61],
}
IN = [
    *(0, 4, 6, 7, 8, 9, 10, 11, 13, 14, 15, *range(18, 23), 24, 25, 26, 27, 28, 29),
    *(32, 52, 53, 56, 57, 58, 59, 62, 63, 64, 65),
]
CLASSES = {"gold": "DiskAndTape", "silver": "TapeOnly"}
VALUE = b"This is the Value of this Data Object"
CREATES = {4, 8, 10, 11, 25, 26, 27, 32, 62, 64}
RETAINED = {
    57: {"cdmi_retention_period": "2011-04-28T00:00:00.000000Z/2013-04-27T00:00:00.000000Z"},
    58: {"cdmi_hold_id": {"case_7": ""}},
    59: {"cdmi_hold_id": {"case_7": ""}},
}


@pytest.fixture(scope="module")
def examples(vectors):
    return json.loads((vectors / "cdmi" / "snia_examples.json").read_text())["examples"]


def test_every_example_is_accounted_for(examples):
    named = sorted([*IN, *(number for numbers in OUT.values() for number in numbers)])
    assert named == list(range(len(examples)))


def ours(text):
    for theirs, name in CLASSES.items():
        text = text.replace(f"/{theirs}/", f"/{name}/")
    return text


async def prepare(qos, number, example):
    """What the example takes for granted."""
    auth = qos.auth()
    container = {"content-type": "application/cdmi-container"}
    if number == 0:
        body = json.dumps({"metadata": {"@user": "test"}})
        await qos.http.put("/%40MyContainer/", content=body, headers=auth | container)
    if number not in {8, 25}:
        await qos.http.put("/MyContainer/", headers=auth)
    if number in {26, 27}:
        await qos.store("/MyContainer/inner/f", b"x")
    if number in {28, 29}:
        for name in ("red", "green", "yellow"):
            await qos.store(f"/MyContainer/{name}", b"x")
        for name in ("orange", "purple"):
            await qos.http.put(f"/MyContainer/{name}/", headers=auth)
    if number == 65:
        body = json.dumps({"capabilitiesURI": "/cdmi_capabilities/container/DiskAndTape/"})
        await qos.http.put("/MyContainer/MyGoldContainer/", content=body, headers=auth | container)
        await qos.work_off()
    elif number not in CREATES and "Object" in example["uri"]:
        await qos.store(example["uri"].partition("?")[0], VALUE, "text/plain")
    if number in RETAINED:
        body = json.dumps({"metadata": RETAINED[number]})
        url = example["uri"].partition("?")[0]
        answer = await qos.http.put(url, content=body, headers=auth | {"content-type": "application/cdmi-object"})
        assert answer.status_code == 204


@pytest.mark.parametrize("number", IN)
async def test_example(qos, examples, number):
    example = examples[number]
    await prepare(qos, number, example)
    headers = {name: value for name, value in example["headers"].items() if name not in {"Host", "Content-Length"}}
    body = example["raw_body"] or (json.dumps(example["json"]) if example["json"] is not None else None)
    answer = await qos.http.request(
        example["method"], example["uri"], content=ours(body) if body else None, headers=qos.auth() | headers
    )
    wanted = example["response"]
    assert answer.status_code == wanted["status"], answer.text
    if "X-CDMI-Specification-Version" in headers:
        assert answer.headers["x-cdmi-specification-version"] == headers["X-CDMI-Specification-Version"]
    if wanted["json"]:
        assert answer.headers["content-type"] == wanted["headers"]["Content-Type"]
        compare(wanted["json"], answer.json(), whole="?" in example["uri"] and number != 53)
    await check_effect(qos, number)


OURS = {
    "objectID",
    "parentID",
    "domainURI",
    "exports",
    "snapshots",
    "percentComplete",
    "capabilities",
    "parentURI ",
}
"""Fields whose values belong to an implementation or to a capability that is not offered."""


def compare(theirs, found, *, whole):
    for field, value in theirs.items():
        if field in OURS:
            continue
        if field == "metadata":
            for key, each in value.items():
                if key in {"cdmi_size", "@user"}:
                    assert found["metadata"][key] == each
        elif field == "objectName" and value == theirs.get("objectID"):
            assert found["objectName"] == found["objectID"]
        elif field == "capabilitiesURI":
            # a class, where the example has the capabilities of every object
            assert found[field].startswith("/cdmi_capabilities/")
            assert found[field].endswith("/")
        elif field == "children" and "container/" in value:
            assert {"container/", "dataobject/"} <= set(found[field])
        elif field in {"children", "childrenrange"} and value != found[field]:
            assert sorted(value) == sorted(found[field]) or len(value) == len(found[field])
        else:
            assert found[field] == value, field
    if whole:
        assert set(found) == set(theirs)


async def check_effect(qos, number):
    async def value(path="/MyContainer/MyDataObject.txt"):
        answer = await qos.http.get(path + "?value", headers=qos.auth())
        value = answer.json()["value"]
        return base64.b64decode(value).decode() if number == 11 else value  # as it was sent, so it is told

    async def metadata():
        return (await qos.cdmi("/MyContainer/MyDataObject.txt"))["metadata"]

    if number in {10, 11}:
        assert await value() == VALUE.decode()
    elif number in {7, 19}:
        assert await value() == VALUE.decode()[:21] + "that" + VALUE.decode()[25:]
    elif number == 20:
        assert (await metadata())["shape"] == "round"
    elif number == 22:
        assert (await metadata())["size"] == "10"
    elif number in {26, 27}:
        there = "/MyContainerCopy" if number == 26 else "/MyContainerRenamed"
        assert (await qos.cdmi(f"{there}/inner"))["children"] == ["f"]
        assert (await qos.http.get("/MyContainer")).status_code == (200 if number == 26 else 404)
    elif number == 32:
        (name,) = (await qos.cdmi("/MyContainer"))["children"]
        assert await value(f"/MyContainer/{name}") == VALUE.decode()
        assert (await qos.cdmi(f"/cdmi_objectid/{name}"))["objectName"] == name
    elif number == 57:
        assert (await metadata())["cdmi_retention_period"].endswith("2013-04-27T00:00:00.000000Z")
    elif number == 59:
        assert set((await metadata())["cdmi_hold_id"]) == {"case_7", "case_15"}
    elif number in {9, 24}:
        gone = "/MyContainer" if number == 9 else "/MyContainer/MyDataObject.txt"
        assert (await qos.http.get(gone)).status_code == 404
    elif number in {62, 63}:
        await qos.work_off()
        wanted = "DiskAndTape" if number == 62 else "TapeOnly"
        path = "/MyContainer/MyGoldObject.txt"
        assert (await qos.cdmi(path))["capabilitiesURI"].endswith(f"dataobject/{wanted}")
    elif number in {64, 65}:
        await qos.work_off()
        wanted = "DiskAndTape" if number == 64 else "TapeOnly"
        assert (await qos.cdmi("/MyContainer/MyGoldContainer"))["capabilitiesURI"].endswith(f"container/{wanted}")


STRICT = {"x-cdmi-specification-version": "1.1.1"}


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("1.1, 1.5, 2.0", "2.0"),
        ("1.1, 1.5", "1.1"),
        ("2.0.0", "2.0.0"),
        ("1.0.2,1.1.1", "1.1.1"),
        ("1.0.1h", "1.0.1"),
        ("3.0", None),
        ("x", None),
        ("", None),
    ],
)
async def test_the_highest_common_version_is_spoken(qos, asked, spoken):
    answer = await qos.http.get("/", headers={"x-cdmi-specification-version": asked})
    assert answer.status_code == (200 if spoken else 400)
    if spoken:
        assert answer.headers["x-cdmi-specification-version"] == spoken


async def test_slashes_have_a_meaning(qos):
    await qos.store("/box/caf%C3%A9/f", b"x")
    moved = await qos.http.get("/box/caf%C3%A9?children", headers=STRICT)
    assert moved.status_code == 301
    assert moved.headers["location"] == "/box/caf%C3%A9/?children"
    assert (await qos.http.get(moved.headers["location"], headers=STRICT)).json() == {"children": ["f"]}
    assert (await qos.http.get("/box/caf%C3%A9/f/", headers=STRICT)).status_code == 404
    for path, kind in (("/new", "container"), ("/new/", "object")):
        headers = qos.auth() | STRICT | {"content-type": f"application/cdmi-{kind}"}
        assert (await qos.http.put(path, content=b"{}", headers=headers)).status_code == 400
    root = (await qos.http.get("/", headers=STRICT)).json()
    assert (root["parentURI"], root["children"]) == ("", ["box/"])
    assert "parentID" not in root


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (None, 200),
        ("*/*", 200),
        ("application/cdmi-container", 200),
        ("application/cdmi-container+json", 200),
        ("text/html, application/*;q=0.1", 200),
        ("text/plain", 406),
        ("application/cdmi-object", 406),
        ("multipart/mixed", 406),
    ],
)
async def test_what_cannot_be_accepted(qos, accept, status):
    answer = await qos.http.get("/", headers=STRICT | ({"accept": accept} if accept else {"accept": "*/*"}))
    assert answer.status_code == status


async def test_a_body_needs_a_type_of_cdmi(qos):
    for kind in ("text/plain", "application/json", "application/cdmi-queue"):
        headers = qos.auth() | STRICT | {"content-type": kind}
        assert (await qos.http.put("/f", content=b"{}", headers=headers)).status_code == 400


async def test_times_have_six_digits(qos):
    await qos.store("/f", b"x")
    found = await qos.cdmi("/f?metadata:cdmi_capability_association_time")
    assert found == {"metadata": {"cdmi_capability_association_time": "2026-01-01T00:00:00.000000Z"}}
