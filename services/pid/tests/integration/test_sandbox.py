"""The sandbox registrar answers as DataCite's REST API does."""

from __future__ import annotations

import asyncio

import pytest

ATTRIBUTES = {
    "url": "https://data.example.org/1",
    "creators": [{"name": "Carberry, Josiah", "affiliation": [{"name": "Brown University"}]}],
    "titles": [{"title": "Water"}],
    "publisher": {"name": "INDIGO", "publisherIdentifier": "https://ror.org/03yrm5c26"},
    "publicationYear": 2026,
    "types": {"resourceTypeGeneral": "Dataset"},
}


class Registrar:
    """A client with the account's credentials."""

    def __init__(self, pid) -> None:
        self.http = pid.http
        self.auth = (pid.settings.datacite_repository.lower(), pid.settings.registrar_password)

    async def __call__(self, method, path, attributes=None, **more):
        if attributes is not None:
            more["json"] = {"data": {"attributes": attributes}}
        return await self.http.request(method, f"/registrar{path}", auth=self.auth, **more)


@pytest.fixture
def registrar(pid) -> Registrar:
    return Registrar(pid)


async def test_a_doi_from_draft_to_findable_and_back(registrar):
    made = await registrar("POST", "/dois", {"doi": "10.5072/ABC"})
    assert made.status_code == 201
    assert made.headers["location"].endswith("/registrar/dois/10.5072/abc")
    assert made.headers["content-type"].startswith("application/vnd.api+json")
    attributes = made.json()["data"]["attributes"]
    assert (attributes["doi"], attributes["state"], attributes["registered"]) == ("10.5072/abc", "draft", None)
    anonymous = await registrar.http.get("/registrar/dois/10.5072/abc")
    assert anonymous.status_code == 404
    put = await registrar("PUT", "/dois/10.5072/abc", {**ATTRIBUTES, "event": "publish"})
    assert put.status_code == 200
    attributes = put.json()["data"]["attributes"]
    assert (attributes["state"], attributes["isActive"]) == ("findable", True)
    assert attributes["registered"] == "2026-01-01T00:00:00.000Z"
    assert attributes["publisher"] == "INDIGO"
    assert attributes["creators"][0]["affiliation"] == ["Brown University"]
    seen = await registrar.http.get("/registrar/dois/10.5072/Abc?publisher=true&affiliation=true")
    attributes = seen.json()["data"]["attributes"]
    assert attributes["publisher"] == ATTRIBUTES["publisher"]
    assert attributes["creators"][0]["affiliation"] == [{"name": "Brown University"}]
    hidden = await registrar("PUT", "/dois/10.5072/abc", {"event": "hide", "reason": "withdrawn"})
    attributes = hidden.json()["data"]["attributes"]
    assert (attributes["state"], attributes["reason"], attributes["url"]) == (
        "registered",
        "withdrawn",
        ATTRIBUTES["url"],
    )
    assert (await registrar("DELETE", "/dois/10.5072/abc")).status_code == 405


async def test_an_event_that_does_not_fit_is_ignored_without_an_error(registrar):
    await registrar("PUT", "/dois/10.5072/a", {**ATTRIBUTES, "event": "publish"})
    answer = await registrar("PUT", "/dois/10.5072/a", {"event": "register"})
    assert answer.status_code == 200
    assert answer.json()["data"]["attributes"]["state"] == "findable"


async def test_put_creates_and_post_does_not_replace(registrar):
    assert (await registrar("PUT", "/dois/10.5072/a", {})).status_code == 201
    again = await registrar("POST", "/dois", {"doi": "10.5072/a"})
    assert again.status_code == 422
    assert again.json() == {
        "errors": [{"source": "doi", "title": "This DOI has already been taken", "uid": "10.5072/a"}]
    }


async def test_random_names_and_drafts_that_go(registrar):
    made = await registrar("POST", "/dois", {"prefix": "10.5072"})
    doi = made.json()["data"]["id"]
    assert len(doi) == len("10.5072/3mfp-6m52")
    assert (await registrar("DELETE", f"/dois/{doi}")).status_code == 204
    assert (await registrar("GET", f"/dois/{doi}")).status_code == 404
    assert (await registrar("DELETE", f"/dois/{doi}")).status_code == 404


async def test_many_at_once_make_one(registrar):
    answers = await asyncio.gather(*(registrar("POST", "/dois", {"doi": "10.5072/a"}) for _ in range(6)))
    assert sorted(one.status_code for one in answers) == [201, 422, 422, 422, 422, 422]


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "title"),
    [
        ("POST", "/dois", {"json": {}}, 400, "You need to provide a payload following the JSONAPI spec"),
        (
            "POST",
            "/dois",
            {"json": {"data": [1]}},
            400,
            "You need to provide a payload following the JSONAPI spec",
        ),
        ("POST", "/dois", {"content": b"{"}, 400, None),
        ("POST", "/dois", {"content": b""}, 400, None),
        ("POST", "/dois", {"json": {"data": {"attributes": {"doi": "10.5072/\u0000"}}}}, 400, None),
        ("POST", "/dois", {"content": b"x" * 1_100_000}, 413, None),
        ("POST", "/dois", {"json": {"data": {"attributes": {}}}}, 422, "Is invalid"),
        ("PUT", "/dois/nonsense", {"json": {"data": {}}}, 422, "Is invalid"),
        ("PUT", "/dois/10.1234/x", {"json": {"data": {}}}, 403, "You are not authorized to access this resource."),
        ("GET", "/dois/10.5072/none", {}, 404, "The resource you are looking for doesn't exist."),
        ("GET", "/nothing", {}, 404, "The resource you are looking for doesn't exist."),
        ("DELETE", "/dois", {}, 405, "Method not allowed"),
    ],
)
async def test_errors_have_datacites_form(registrar, method, path, more, status, title):
    answer = await registrar(method, path, **more)
    assert answer.status_code == status
    (error,) = answer.json()["errors"]
    assert title is None or error["title"] == title


async def test_what_is_missing_is_named_and_nothing_is_stored(registrar):
    answer = await registrar("PUT", "/dois/10.5072/a", {"event": "publish", "url": "https://x.example.org"})
    assert answer.status_code == 422
    errors = {one["source"]: one["title"] for one in answer.json()["errors"]}
    assert set(errors) == {"creators", "titles", "publisher", "publicationYear", "types"}
    assert errors["creators"].startswith("DOI 10.5072/a: Missing child element(s).")
    assert (await registrar("GET", "/dois/10.5072/a")).status_code == 404


@pytest.mark.parametrize("auth", [None, ("INDIGO.REPO", "wrong"), ("OTHER.REPO", "wrong")])
async def test_writing_needs_the_account(pid, auth):
    answer = await pid.http.put("/registrar/dois/10.5072/a", json={"data": {}}, auth=auth)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["title"] == "Bad credentials."


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Bearer abc"])
async def test_odd_credentials(pid, header):
    answer = await pid.http.get("/registrar/dois", headers={"authorization": header})
    assert answer.status_code == 401


async def test_pages(registrar):
    for number in range(5):
        await registrar(
            "PUT", f"/dois/10.5072/n{number}", ATTRIBUTES if number else {**ATTRIBUTES, "event": "publish"}
        )
    first = (await registrar("GET", "/dois?page[size]=2")).json()
    assert [one["id"] for one in first["data"]] == ["10.5072/n0", "10.5072/n1"]
    assert first["meta"] == {"total": 5, "totalPages": 3, "page": 1}
    second = await registrar.http.get(first["links"]["next"], auth=registrar.auth)
    assert [one["id"] for one in second.json()["data"]] == ["10.5072/n2", "10.5072/n3"]
    last = (await registrar("GET", "/dois?page[size]=2&page[number]=3")).json()
    assert "next" not in last["links"]
    public = (await registrar.http.get("/registrar/dois")).json()
    assert [one["id"] for one in public["data"]] == ["10.5072/n0"]
    drafts = (await registrar("GET", "/dois?state=draft&page[size]=x")).json()
    assert drafts["meta"]["total"] == 4
    assert (await registrar("GET", "/dois?page[size]=0")).json()["data"] == []
    assert (await registrar("GET", "/dois?prefix=10.1234")).json()["meta"]["total"] == 0
