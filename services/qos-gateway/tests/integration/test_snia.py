"""The examples of CDMI 1.1.1 and of its Capabilities Selection Extension, replayed.

Every example is either replayed here or named with the reason why it is not.
"""

import base64
import json
import re
from pathlib import Path

import pytest

OUT = {
    "without version header and Accept the INDIGO dialect answers, as gfal2 and FTS expect": [5],
    "exports: the gateway runs no iSCSI, NFS or OCCI server it could export to": [30, 31, 54],
    "its body is no JSON in the standard's own text": [55],
    "versions: no back-end keeps the older bytes of an object": [60, 61],
}
IN = [number for number in range(66) if not any(number in numbers for numbers in OUT.values())]
CLASSES = {"gold": "DiskAndTape", "silver": "TapeOnly"}
CREATES_NODES = {2, 3, 12, 33, 34, 35, 39}
QUEUES = {40: 1, 41: 1, 42: 2, 43: 2, 44: 1, 45: 1, 46: 0, 47: 0, 48: 0, 49: 0, 50: 3, 51: 12}
"""How many values the queue of an example has before."""
TEXTS = ["First Enqueued Value", "Second Enqueued Value", *(f"Value {number}" for number in range(3, 30))]
FIRST_PART = re.compile(
    r"--[^\n]+\nContent-Type: (application/cdmi-[a-z]+)\n(?:Content-Length: \d+\n)?(\{.*?\})\n--", re.DOTALL
)
VALUE = b"This is the Value of this Data Object"
CREATES = {4, 8, 10, 11, 25, 26, 27, 32, 62, 64}
COLORS = {"red", "green", "yellow", "orange/", "purple/"}
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
    print(f"SNIA CDMI 1.1.1: {len(IN)} of {len(examples)} examples are replayed; not:")
    for reason, numbers in OUT.items():
        print(f"  {', '.join(examples[number]['section'] for number in numbers)}: {reason}")


def test_the_readme_tells_the_same(examples):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"{len(IN)} of the {len(examples)} examples" in readme
    for reason, numbers in OUT.items():
        assert f"| {len(numbers)} | {reason} |" in readme


def ours(text):
    for theirs, name in CLASSES.items():
        text = text.replace(f"/{theirs}/", f"/{name}/")
    return text


async def put(qos, path, kind, value=None, *, key="value", who=("qos:change",)):
    headers = qos.auth(*who) | {"content-type": f"application/cdmi-{kind}", "x-cdmi-specification-version": "1.1"}
    answer = await qos.http.put(
        path, content=json.dumps({key: value} if value is not None else {}), headers=headers
    )
    assert answer.status_code == 201, answer.text


async def domain(qos):
    await put(
        qos,
        "/cdmi_domains/MyDomain/",
        "domain",
        {"cdmi_domain_enabled": "true"},
        key="metadata",
        who=("operator",),
    )


async def queue(qos, path, texts, *, binary=False):
    await put(qos, path, "queue")
    headers = qos.auth() | {"content-type": "application/cdmi-object"}
    values = [base64.b64encode(text.encode()).decode() for text in texts] if binary else texts
    body = {"value": values, "valuetransferencoding": "base64" if binary else "utf-8"}
    if binary:
        body["mimetype"] = "application/octet-stream"
    if texts:
        assert (await qos.http.post(path, content=json.dumps(body), headers=headers)).status_code == 204


def sent(example, number):
    """The body of an example; of multipart ones the standard prints no empty lines and no bytes."""
    body = example["raw_body"]
    if number == 35:
        return "{" + body + "}"  # printed without its braces
    if body is None or "multipart" not in example["headers"].get("Content-Type", ""):
        return body or (json.dumps(example["json"]) if example["json"] is not None else None)
    kind, document = FIRST_PART.match(body).groups()
    boundary = body.split("\n")[0]
    parts = [f"{boundary}\r\nContent-Type: {kind}\r\n\r\n{document}"]
    for size in re.findall(r"<(\d+) bytes of binary data>", body):
        data = (VALUE.decode() * 2)[: int(size)]
        head = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary"
        parts.append(f"{boundary}\r\n{head}\r\n\r\n{data}")
    return "\r\n".join([*parts, f"{boundary}--\r\n"])


def uri(example, number):
    """The address of an example; two of the standard's leave the root of domains out."""
    return f"/cdmi_domains{example['uri']}" if number in {36, 37} else example["uri"]


async def prepare(qos, number, example):
    """What the example takes for granted."""
    auth = qos.auth()
    container = {"content-type": "application/cdmi-container"}
    if number == 0:
        body = json.dumps({"metadata": {"@user": "test"}})
        await qos.http.put("/%40MyContainer/", content=body, headers=auth | container)
    if number not in {8, 25}:
        await qos.http.put("/MyContainer/", headers=auth)
    if number in {12, 33, 36, 37, 38}:
        await domain(qos)
    if number == 1:
        await put(
            qos,
            "/MyContainer/MyDataObject.txt",
            "object",
            example["response"]["headers"]["Location"],
            key="reference",
        )
    if number in QUEUES:
        texts = TEXTS[: QUEUES[number]]
        await queue(qos, "/MyContainer/MyQueue", texts, binary=number == 43)
    if number in {44, 47}:
        await queue(qos, f"/MyContainer/{'Source' if number == 44 else 'First'}Queue", TEXTS[:25])
    if number == 44:
        assert (await qos.http.delete("/MyContainer/SourceQueue?values:9", headers=auth)).status_code == 204
    if number == 46:
        await qos.store("/MyContainer/MyDataObject.txt", VALUE, "text/plain")
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
    elif number not in CREATES | CREATES_NODES | {1} and "Object" in example["uri"]:
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
    body = sent(example, number)
    who = qos.auth("operator", "qos:change") if number in {12, 33, 35, 38} else qos.auth()
    answer = await qos.http.request(
        example["method"], uri(example, number), content=ours(body) if body else None, headers=who | headers
    )
    wanted = example["response"]
    assert answer.status_code == wanted["status"], answer.text
    if "X-CDMI-Specification-Version" in headers:
        assert answer.headers["x-cdmi-specification-version"] == headers["X-CDMI-Specification-Version"]
    if "Location" in wanted["headers"]:
        theirs = re.sub("00007ED9[0-9A-F]+$", "", wanted["headers"]["Location"].split("/", 3)[3])
        assert answer.headers["location"].split("/", 3)[3].startswith(theirs)
    if "multipart" in wanted["headers"].get("Content-Type", ""):
        compare_parts(answer, wanted["raw_body"], number)
    if wanted["json"]:
        assert answer.headers["content-type"] == wanted["headers"]["Content-Type"]
        compare(wanted["json"], answer.json(), whole="?" in example["uri"] and number not in {42, 53})
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


def compare_parts(answer, text, number):
    """JSON first, then the bytes, with their places where a range was asked for."""
    boundary = re.fullmatch(r"multipart/mixed; boundary=(\S+)", answer.headers["content-type"])[1]
    first, *others = answer.content.split(f"--{boundary}".encode())[1:-1]
    head, _, document = first.partition(b"\r\n\r\n")
    kind = re.search(r"Content-Type: (application/cdmi-\w+)", text)[1]
    assert head.strip() == f"Content-Type: {kind}".encode()
    found = json.loads(document)
    assert "value" not in found
    for field in re.findall(r'^"(\w+)" ?:', FIRST_PART.match(text)[2], re.MULTILINE):
        assert field in {*found, *found["metadata"], "colour"}, field
    heads = [part.partition(b"\r\n\r\n")[0].decode().strip().split("\r\n") for part in others]
    bodies = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in others]
    assert all("Content-Transfer-Encoding: binary" in head for head in heads)
    if number == 17:
        assert [head[1] for head in heads] == ["Content-Range: bytes 0-10/37", "Content-Range: bytes 21-24/37"]
        assert bodies == [VALUE[:11], VALUE[21:25]]
    else:
        assert bodies == ([VALUE] if number == 16 else [text.encode() for text in TEXTS[:2]])


def compare(theirs, found, *, whole):
    for field, value in theirs.items():
        if field in OURS:
            continue
        if field == "metadata":
            for key, each in value.items():
                if key in {"cdmi_size", "@user", "colour", "cdmi_domain_enabled"}:
                    assert found["metadata"][key] == each
        elif field == "objectName" and value == theirs.get("objectID"):
            assert found["objectName"] == found["objectID"]
        elif field == "capabilitiesURI":
            # a class, where the example has the capabilities of every object
            assert found[field].startswith("/cdmi_capabilities/")
            assert found[field].endswith("/")
        elif field == "children" and "container/" in value:
            assert {"container/", "dataobject/"} <= set(found[field])
        elif field == "children" and set(value) <= COLORS:
            # which of them a range names depends on their order, which is the server's
            assert len(value) == len(set(found[field])) == len(found[field])
            assert set(found[field]) <= COLORS
        else:
            assert found[field] == value, field
    if whole:
        assert set(found) == set(theirs)


def encoded(*texts):
    return [base64.b64encode(text.encode()).decode() for text in texts]


QUEUE_EFFECTS = {
    44: ("1-7", [TEXTS[0], *TEXTS[9:15]]),
    46: ("1-1", [VALUE.decode()]),
    47: ("1-20", TEXTS[:20]),
    48: ("1-2", ["First", "U2Vjb25k"]),
    49: ("1-2", encoded(VALUE.decode()[:20], VALUE.decode())),
    50: ("2-3", TEXTS[1:3]),
    51: ("11-12", TEXTS[10:12]),
}


async def check_effect(qos, number):
    async def value(path="/MyContainer/MyDataObject.txt"):
        answer = await qos.http.get(path + "?value", headers=qos.auth())
        value = answer.json()["value"]
        return base64.b64decode(value).decode() if number == 11 else value  # as it was sent, so it is told

    async def metadata():
        return (await qos.cdmi("/MyContainer/MyDataObject.txt"))["metadata"]

    async def held(path="/MyContainer/MyQueue"):
        answer = await qos.http.get(path + "?values:100;queueValues", headers=qos.auth())
        found = answer.json()
        return found["queueValues"], found.get("value")

    if number in QUEUE_EFFECTS:
        assert await held() == QUEUE_EFFECTS[number]
        if number == 44:
            assert (await held("/MyContainer/SourceQueue"))[0] == "16-25"
        if number == 47:
            assert await held("/MyContainer/FirstQueue") == ("21-25", TEXTS[20:25])
    elif number == 45:
        assert (await qos.http.get("/MyContainer/MyQueue")).status_code == 404
    elif number == 2:
        assert (await qos.cdmi("/MyContainer"))["children"] == ["MyDataObject.txt?"]
        there = await qos.http.get("/MyContainer/MyDataObject.txt")
        assert there.status_code == 302
        assert there.headers["location"].endswith("/MyOtherDataObject.txt")
    elif number in {12, 23}:
        stored = (
            await qos.http.get("/MyContainer/MyDataObject.txt", headers={"accept": "x/y"} | qos.auth())
        ).content
        assert stored == VALUE
        assert (await metadata())["colour"] == ("blue" if number == 12 else "red")
    elif number == 35:
        assert "MyDomain" in (await qos.cdmi("/cdmi_domains"))["children"]
    elif number == 38:
        assert (await qos.http.get("/cdmi_domains/MyDomain/")).status_code == 404
    elif number in {10, 11}:
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
    await qos.store("/a%23b%25/g", b"x")
    moved = await qos.http.get("/a%23b%25", headers=STRICT)
    assert moved.headers["location"] == "/a%23b%25/"
    assert (await qos.http.delete("/a%23b%25/", headers=qos.auth())).status_code == 204
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
    for kind in ("text/plain", "application/json", "application/cdmi-domain"):
        headers = qos.auth() | STRICT | {"content-type": kind}
        assert (await qos.http.put("/f", content=b"{}", headers=headers)).status_code == 400


async def test_times_have_six_digits(qos):
    await qos.store("/f", b"x")
    found = await qos.cdmi("/f?metadata:cdmi_capability_association_time")
    assert found == {"metadata": {"cdmi_capability_association_time": "2026-01-01T00:00:00.000000Z"}}
