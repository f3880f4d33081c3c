"""What a name is described as, by Accept and by ?format=."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from indigo_contracts.repository import RecordPublished, RecordState, RecordUpdated, RecordWithdrawn
from indigo_pid.citation.formats import FORMATS

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
TARGET = "https://data.example.org/42"


async def published(pid, record, **changes):
    await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED, keywords=["water"], **changes)))
    return await pid.identifier_of("r1")


async def get(pid, name, accept=None, query=""):
    headers = {} if accept is None else {"accept": accept}
    return await pid.http.get(f"/{name}{query}", headers=headers)


async def test_every_format_by_each_of_its_types_and_by_name(pid, record):
    names = await published(pid, record)
    for one in FORMATS:
        for media_type in one.media_types:
            answer = await get(pid, names["doi"], media_type)
            assert answer.status_code == 200, (media_type, answer.text)
            assert answer.headers["content-type"].partition(";")[0] == media_type
            assert answer.headers["vary"] == "accept"
            assert answer.headers["cache-control"] == "public, max-age=300"
            assert f'<{names["resolver_url"]}>; rel="cite-as"' in answer.headers["link"]
            assert "Water quality" in answer.text or one.name == "linkset"
            by_query = await get(pid, names["handle"], BROWSER, f"?format={one.name}")
            assert by_query.status_code == 200
            if media_type == one.media_type:
                assert by_query.content == answer.content
                assert by_query.headers["etag"] == answer.headers["etag"]
            again = await pid.http.get(
                f"/{names['doi']}", headers={"accept": media_type, "if-none-match": answer.headers["etag"]}
            )
            assert again.status_code == 304
            assert again.headers["etag"] == answer.headers["etag"]
            assert again.headers["vary"] == "accept"
            head = await pid.http.head(f"/{names['ark']}", headers={"accept": media_type})
            assert head.status_code == 200
            assert head.headers["etag"] == answer.headers["etag"]
            assert head.content == b""


async def test_different_formats_have_different_tags(pid, record):
    names = await published(pid, record)
    tags = {(await get(pid, names["doi"], kind)).headers["etag"] for one in FORMATS for kind in one.media_types}
    assert len(tags) == sum(len(one.media_types) for one in FORMATS)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, None),
        ("", None),
        ("*/*", None),
        (BROWSER, None),
        ("text/html", None),
        ("application/json", None),
        ("image/png", None),
        ("text/*", None),
        ("nonsense", None),
        ("application/x-bibtex, */*", "application/x-bibtex"),
        ("*/*, application/x-bibtex", "application/x-bibtex"),
        ("application/x-bibtex;q=0.2, */*", None),
        ("application/x-bibtex;q=0, */*", None),
        ("application/x-bibtex;q=0", None),
        ("text/html;q=0.5, text/turtle", "text/turtle"),
        ("text/turtle;q=0.5, text/html", None),
        ("text/turtle;q=0.5, application/rdf+xml;q=0.7, */*;q=0.1", "application/rdf+xml"),
        ("TEXT/Turtle", "text/turtle"),
        ("text/turtle;q=2, application/ld+json;q=0.1", "application/ld+json"),
        ('text/turtle;profile="a, b;q=0", text/html;q=0.3', "text/turtle"),
        ('application/ld+json; profile="https://www.w3.org/ns/json-ld#expanded"', "application/ld+json"),
        ("application/rdf+xml,text/rdf+n3;q=0.9,application/xhtml+xml;q=0.5, */*;q=0.1", "application/rdf+xml"),
        (",,;;,text/turtle", "text/turtle"),
        ("*/*;q=0", None),
        ("text/*;q=0.9, text/turtle;q=0.1", None),
        ("text/html;q=0, text/turtle;q=0.001", "text/turtle"),
        ("text/turtle ; Q = 0.5 , application/ld+json ; q=0.6", "application/ld+json"),
        ("text/turtle;q=0.5000, application/ld+json;q=0.1", "application/ld+json"),
        ("text/turtle;q=-1, application/ld+json;q=.5, application/rdf+xml;q=0.", None),
        ("text/turtle;q=1.001, application/ld+json;q=1.000", "application/ld+json"),
        ("text/turtle;q=0.5;q=0.9, application/ld+json;q=0.7", "text/turtle"),
        ("application/ld+json, text/turtle", "application/ld+json"),
        ("text/turtle, application/ld+json", "text/turtle"),
        ("application/vnd.crosscite.crosscite+json, */*;q=0.1", None),
        ("application/vnd.crosscite.crosscite+json, text/turtle;q=0.1", None),
        ("application/citeproc+json;q=1.0, application/x-bibtex;q=0.9", "application/citeproc+json"),
        ("text/turtle/x, /turtle, turtle, text/", None),
        ("text/turtle" + ", x/y" * 5000, "text/turtle"),
    ],
)
async def test_accept_is_read_as_the_standard_says(pid, record, accept, kind):
    names = await published(pid, record)
    await pid.http.get("/livez")
    async with asyncio.timeout(20):  # until the quick resolver answers for it
        while pid.index.find(names["handle"]) is None:
            await asyncio.sleep(0.01)
    answer = await get(pid, names["handle"], accept)
    if kind is None:
        assert answer.status_code == 302
        assert answer.headers["location"] == "https://repository.example.org/records/r1"
    else:
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == kind


async def test_several_accept_fields_are_one_list(pid, record):
    names = await published(pid, record)
    await pid.http.get("/livez")
    async with asyncio.timeout(20):
        while pid.index.find(names["handle"]) is None:
            await asyncio.sleep(0.01)
    for fields, status in (
        (["*/*", "text/turtle"], 200),
        (["text/html", "*/*;q=0.5", "application/x-bibtex;q=0.1"], 302),
        (["text/html;q=0.1", "application/x-bibtex;q=0.9"], 200),
    ):
        headers = [("accept", one) for one in fields]
        request = httpx.Request("GET", pid.http.base_url.join(names["handle"]), headers=headers)
        assert (await pid.http.send(request)).status_code == status, fields


@pytest.mark.parametrize(
    ("accept", "query", "starts"),
    [
        ("text/x-bibliography", "", "Carberry, J. (2026). Water quality of the reservoir (Version 1) [Dataset]."),
        ("text/x-bibliography; style=ieee", "", "[1] J. Carberry,"),
        ("text/x-bibliography; style = ieee; locale = en-US", "", "[1] J. Carberry,"),
        ('text/x-bibliography;style="ieee"', "", "[1] J. Carberry,"),
        ("text/x-bibliography;style=vancouver", "", "1. Carberry J."),
        ("text/x-bibliography;style=unknown, text/x-bibliography;q=0.5", "", "Carberry, J. (2026)."),
        (BROWSER, "?format=citation&style=nature", "1. Carberry, J."),
        ("text/x-bibliography", "?style=ieee", "[1] J. Carberry,"),
    ],
)
async def test_citations_in_a_style(pid, record, accept, query, starts):
    names = await published(pid, record)
    for _ in range(2):  # made, then kept
        answer = await get(pid, names["doi"], accept, query)
        assert answer.status_code == 200, answer.text
        assert answer.text.startswith(starts)
        assert names["doi"] in answer.text


async def test_citations_in_a_language(pid, record):
    names = await published(pid, record)
    text = (await get(pid, names["doi"], "text/x-bibliography;locale=de")).text
    assert "[Dataset]" in text
    spoken = {
        locale: (await get(pid, names["doi"], None, f"?format=citation&style=ieee&locale={locale}")).text
        for locale in ("de-DE", "fr", "en-US")
    }
    assert len(set(spoken.values())) == 3
    assert "Januar" in spoken["de-DE"]


@pytest.mark.parametrize(
    "style", ["no-such-style", "../../../etc/passwd", "apa.csl", "/etc/passwd", "apa/", "%00"]
)
async def test_a_style_is_a_name_and_never_a_path(pid, record, style):
    names = await published(pid, record)
    if style != "%00":
        answer = await get(pid, names["doi"], f'text/x-bibliography;style="{style}"')
        assert answer.status_code == 406
        assert "no citation style" in answer.json()["detail"]
        assert {"format": "bibtex", "type": "application/x-bibtex"} in answer.json()["available"]
    assert (await get(pid, names["doi"], None, f"?format=citation&style={style}")).status_code == 400


async def test_an_unknown_locale_or_format(pid, record):
    names = await published(pid, record)
    refused = await get(pid, names["doi"], "text/x-bibliography;locale=xx-YY")
    assert refused.status_code == 406
    assert "no locale 'xx-YY'" in refused.json()["detail"]
    assert (await get(pid, names["doi"], None, "?format=citation&locale=tlh")).status_code == 400
    unknown = await get(pid, names["doi"], None, "?format=pdf")
    assert unknown.status_code == 400
    assert "turtle" in unknown.json()["available"]
    assert (await get(pid, names["doi"], None, f"?format={'x' * 200}")).status_code == 422


async def test_a_correction_changes_every_description(pid, record):
    names = await published(pid, record)
    before = {one.name: await get(pid, names["doi"], one.media_type) for one in FORMATS}
    await pid.deliver(RecordUpdated(record=record(state=RecordState.PUBLISHED, version=2, title="Turbidity")))
    for one in FORMATS:
        after = await get(pid, names["doi"], one.media_type)
        if one.name != "linkset":
            assert "Turbidity" in after.text, one.name
            assert after.headers["etag"] != before[one.name].headers["etag"]


async def test_a_date_that_does_not_exist_spoils_no_citation(pid):
    metadata = {
        "creators": [{"name": "Aguilar, Fernando"}],
        "titles": [{"title": "Water"}],
        "publisher": "INDIGO",
        "publicationYear": 2017,
        "types": {"resourceTypeGeneral": "Dataset"},
        "dates": [{"date": "2017-13-45", "dateType": "Issued"}],
    }
    made = await pid.mint(target=TARGET, metadata=metadata)
    for style in ("apa", "ieee"):
        assert "2017" in (await get(pid, made["handle"], f"text/x-bibliography;style={style}")).text
    for one in FORMATS:
        assert (await get(pid, made["handle"], one.media_type)).status_code == 200


async def test_markup_in_titles_stays_out_of_plain_text(pid, record):
    names = await published(pid, record, title="CO<sub>2</sub> & <i>E. coli</i> {100%} <script>", description=None)
    citation = (await get(pid, names["doi"], "text/x-bibliography")).text
    assert "CO2 & E. coli {100%} <script>" in citation
    assert (
        r"CO<sub>2</sub> \& <i>E. coli</i> \textbraceleft{}100\%\textbraceright{}"
        in (await get(pid, names["doi"], "application/x-bibtex")).text
    )


async def test_metadata_outlives_what_was_withdrawn(pid, record):
    gone = record(state=RecordState.WITHDRAWN, version=2)
    await pid.deliver(RecordWithdrawn(record=gone, reason="wrong sensor"))
    names = await pid.identifier_of("r1")
    assert (await get(pid, names["doi"])).status_code == 410
    document = (await get(pid, names["doi"], "application/vnd.datacite.datacite+json")).json()
    assert {"date": "2026-01-01", "dateType": "Issued"} in document["dates"]
    assert any(one["dateType"] == "Withdrawn" for one in document["dates"])
    assert (await get(pid, names["doi"], "text/x-bibliography")).status_code == 200


async def test_what_is_reserved_is_not_described(pid, record):
    from indigo_contracts.repository import RecordReserved

    await pid.deliver(RecordReserved(record=record(title="Secret draft")))
    names = await pid.identifier_of("r1")
    for one in FORMATS:
        answer = await get(pid, names["doi"], one.media_type)
        assert answer.status_code == 404
        assert "Secret" not in answer.text


BARE = {"schema-org", "turtle", "rdf-xml", "linkset"}


@pytest.mark.parametrize("metadata", [None, {"note": "mine"}, {"titles": [{"title": "Water"}]}])
async def test_of_a_bare_identifier_is_said_what_can_be_said(pid, metadata):
    made = await pid.mint(target=TARGET, kind="software", metadata=metadata)
    for one in FORMATS:
        answer = await get(pid, made["handle"], one.media_type)
        if one.name in BARE:
            assert answer.status_code == 200
            assert TARGET in answer.text
            continue
        assert answer.status_code == 406, one.name
        told = answer.json()
        assert {found["format"] for found in told["available"]} == BARE
        assert bool(told.get("errors")) == (metadata is not None)
    wishes = "application/x-bibtex, text/turtle;q=0.5"
    assert (await get(pid, made["handle"], wishes)).headers["content-type"].startswith("text/turtle")
    assert (await get(pid, made["handle"], "application/x-bibtex, */*;q=0.1")).status_code == 302


async def test_a_client_may_bring_datacite_metadata(pid):
    metadata = {
        "creators": [{"name": "Aguilar, Fernando"}, {"name": "IFCA", "nameType": "Organizational"}],
        "titles": [{"title": "Water"}],
        "publisher": "INDIGO",
        "publicationYear": 2017,
        "types": {"resourceTypeGeneral": "Software"},
    }
    made = await pid.mint(target=TARGET, metadata=metadata)
    document = (await get(pid, made["handle"], "application/vnd.datacite.datacite+json")).json()
    assert document["id"] == made["resolver_url"]
    assert document["identifiers"] == [{"identifier": made["handle"], "identifierType": "Handle"}]
    assert document["url"] == TARGET
    assert "doi" not in document
    csl = (await get(pid, made["handle"], "application/citeproc+json")).json()
    assert csl["author"] == [{"family": "Aguilar", "given": "Fernando"}, {"literal": "IFCA"}]
    assert csl["URL"] == made["resolver_url"]
    assert (await get(pid, made["handle"], "text/x-bibliography")).text.startswith(
        "Aguilar, F., & IFCA. (2017). Water"
    )


async def test_the_links_of_a_name(pid, record):
    names = await published(pid, record)
    links = (await get(pid, names["doi"], "application/linkset+json")).json()["linkset"]
    first = links[0]
    assert first["anchor"] == "https://repository.example.org/records/r1"
    assert first["cite-as"] == [{"href": f"https://doi.org/{names['doi']}"}]
    assert {"href": "https://orcid.org/0000-0002-1825-0097"} in first["author"]
    assert first["license"] == [{"href": "https://creativecommons.org/licenses/by/4.0/"}]
    assert len(first["describedby"]) == len(FORMATS)
    for one in first["describedby"]:
        answer = await pid.http.get(one["href"])
        assert answer.headers["content-type"].partition(";")[0] == one["type"]


async def test_the_page_about_a_name(pid, record):
    names = await published(pid, record, title="Water <b>quality</b>")
    await pid.work_off()
    for query in ("?noredirect", "?info", "?noredirect&style=x"):
        shown = await get(pid, names["handle"], BROWSER, query)
        assert shown.status_code == 200
        assert shown.headers["content-type"].startswith("text/html")
        assert "Water &lt;b&gt;quality" in shown.text
        assert "<b>quality" not in shown.text
        assert "the registrar has it" in shown.text
        assert f'<meta name="citation_doi" content="{names["doi"]}">' in shown.text
        assert f"/api/identifiers/{names['handle']}/history" in shown.text
        assert "default-src 'none'" in shown.headers["content-security-policy"]
    block = shown.text.partition('<script type="application/ld+json">')[2].partition("</script>")[0]
    assert json.loads(block)["@id"] == f"https://doi.org/{names['doi']}"
    assert (await get(pid, names["handle"], "*/*", "?noredirect")).headers["content-type"] == "application/json"


async def test_the_page_of_a_bare_name(pid):
    made = await pid.mint(target=TARGET)
    shown = await get(pid, made["handle"], BROWSER, "?noredirect")
    assert shown.status_code == 200
    assert TARGET in shown.text
    assert "BibTeX" not in shown.text
    assert "Turtle" in shown.text
