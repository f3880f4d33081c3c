"""The sandbox registrar as the ``datacite`` package from PyPI sees it, and our metadata as its schema sees it."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from datetime import UTC, date, datetime

import pytest
import pytest_asyncio
from datacite import DataCiteRESTClient, schema45
from datacite.errors import DataCiteError, DataCiteForbiddenError, DataCiteNotFoundError, DataCiteUnauthorizedError
from indigo_contracts.dmp import Person
from indigo_contracts.repository import RecordKind, RecordSnapshot, RecordState
from indigo_kernel.clock import ManualClock
from indigo_kernel.db import migrate
from indigo_kernel.db.engine import create_engine
from indigo_kernel.http.server import listen, serving
from indigo_pid.bootstrap import MIGRATIONS
from indigo_pid.domain.datacite import Relation, attributes_for
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import Naming
from indigo_pid.sandbox.app import Account, SandboxRegistrar, create_sandbox
from indigo_pid.sandbox.store import SandboxStore

PREFIX = "10.5072"
ACCOUNT = Account("INDIGO.REPO", "secret", frozenset({PREFIX}))
NOW = datetime(2026, 1, 1, tzinfo=UTC)

METADATA = {
    "creators": [{"name": "Carberry, Josiah", "nameIdentifiers": [], "affiliation": []}],
    "titles": [{"title": "Water quality"}],
    "publisher": {"name": "INDIGO Preservation Repository"},
    "publicationYear": "2026",
    "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Dataset"},
    "schemaVersion": "http://datacite.org/schema/kernel-4",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url(make_database):
    engine = create_engine(await make_database("registrar"), application="registrar")
    await migrate.upgrade(engine, MIGRATIONS)
    bound = listen("127.0.0.1", 0)
    app = create_sandbox(SandboxRegistrar(SandboxStore(engine, ManualClock()), ACCOUNT))
    async with serving(app, bound):
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
    await engine.dispose()


def client(url: str, password: str = ACCOUNT.password, prefix: str = PREFIX) -> DataCiteRESTClient:
    return DataCiteRESTClient(
        username=ACCOUNT.repository_id, password=password, prefix=prefix, url=url, timeout=10
    )


async def call(method, *args, **kwargs):
    """The client is synchronous; the server runs in this loop."""
    return await asyncio.to_thread(method, *args, **kwargs)


def metadata(**changes):
    """Fresh each time: the client writes into what it is given."""
    return deepcopy({**METADATA, **changes})


async def state(registrar, doi):
    return (await call(registrar.get_metadata, doi))["state"]


async def test_a_draft_comes_and_goes(url):
    registrar = client(url)
    doi = await call(registrar.draft_doi, metadata())
    assert doi.startswith(f"{PREFIX}/")
    assert await state(registrar, doi) == "draft"
    await call(registrar.update_doi, doi, metadata(), "https://data.example.org/1")
    assert await call(registrar.get_doi, doi) == "https://data.example.org/1"
    await call(registrar.hide_doi, doi)  # does not fit a draft, and is no error
    assert await state(registrar, doi) == "draft"
    await call(registrar.delete_doi, doi)
    with pytest.raises(DataCiteNotFoundError):
        await call(registrar.get_doi, doi)


async def test_publish_update_hide_and_show(url):
    registrar = client(url)
    made = await call(registrar.public_doi, metadata(), "https://data.example.org/1", f"{PREFIX}/life")
    assert made == f"{PREFIX}/life"
    assert await state(registrar, made) == "findable"
    await call(registrar.update_url, made, "https://data.example.org/2")
    assert await call(registrar.get_doi, made) == "https://data.example.org/2"
    await call(registrar.update_doi, made, metadata(titles=[{"title": "New"}]))
    assert (await call(registrar.get_metadata, made))["titles"] == [{"title": "New"}]
    await call(registrar.hide_doi, made)
    assert await state(registrar, made) == "registered"
    await call(registrar.show_doi, made)
    assert await state(registrar, made) == "findable"
    with pytest.raises(DataCiteError, match="Method not allowed"):
        await call(registrar.delete_doi, made)


async def test_a_registered_doi(url):
    registrar = client(url)
    made = await call(registrar.private_doi, metadata(), "https://data.example.org/3", f"{PREFIX}/private")
    assert await state(registrar, made) == "registered"
    with pytest.raises(DataCiteError, match="already been taken"):
        await call(registrar.private_doi, metadata(), "https://data.example.org/3", f"{PREFIX}/private")


async def test_refusals_arrive_as_the_clients_errors(url):
    with pytest.raises(DataCiteUnauthorizedError):
        await call(client(url, password="wrong").draft_doi, metadata())
    with pytest.raises(DataCiteForbiddenError):
        await call(client(url, prefix="10.1234").draft_doi, metadata())
    registrar = client(url)
    with pytest.raises(DataCiteError, match="Missing child element"):
        await call(registrar.public_doi, metadata(creators=[]), "https://data.example.org/4", f"{PREFIX}/bad")
    with pytest.raises(DataCiteNotFoundError):
        await call(registrar.get_doi, f"{PREFIX}/bad")


@pytest.mark.parametrize("kind", list(RecordKind))
@pytest.mark.parametrize("state", [RecordState.PUBLISHED, RecordState.WITHDRAWN])
def test_our_attributes_fit_the_published_schema(kind, state):
    record = RecordSnapshot(
        record_id="r",
        kind=kind,
        state=state,
        version=2,
        title="Water quality",
        description="What is measured.",
        creators=[
            Person(
                name="Carberry, Josiah", identifier="https://orcid.org/0000-0002-1825-0097", affiliation="Brown"
            ),
            Person(name="IFCA", identifier="https://ror.org/03yrm5c26"),
        ],
        publisher="INDIGO",
        publication_date=date(2026, 1, 1),
        language="en",
        keywords=["water"],
        license="https://creativecommons.org/licenses/by/4.0/",
        url="https://repository.example.org/records/r",
        api_url="https://repository.example.org/api/records/r",
    )
    naming = Naming("21.T99999", PREFIX, "99999", "https://pid.example.org")
    identifier = Identifier.mint(naming, "x", now=NOW, record=record).follow(
        record, record.url, reason="wrong sensor", now=NOW
    )
    attributes = attributes_for(identifier, [Relation("IsDocumentedBy", f"{PREFIX}/y", RecordKind.DMP)])
    attributes["publicationYear"] = str(attributes["publicationYear"])  # text in the schema, a number in the API
    del attributes["url"]  # of the API, not of the schema
    schema45.validator.validate(attributes)
