"""What identifiers are described as, read by the programs those formats are for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import bibtexparser
import pytest
import rispy
from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
from citeproc.source.json import CiteProcJSON
from indigo_contracts.repository import RecordKind
from indigo_pid.citation.bibliography import Bibliography, locale_named, style_named
from indigo_pid.citation.bibtex import bibtex
from indigo_pid.citation.csl import csl_item
from indigo_pid.citation.formats import BY_NAME, FORMATS
from indigo_pid.citation.linkset import linkset
from indigo_pid.citation.rdf import rdf
from indigo_pid.citation.ris import ris
from indigo_pid.citation.schema_org import schema_org
from indigo_pid.citation.subject import Subject, main_title
from indigo_pid.datacite.models import Resource
from indigo_pid.datacite.validation import read_resource
from indigo_pid.datacite.xml import from_xml, to_xml
from lxml import etree
from rdflib import RDF, BNode, Graph, Namespace, URIRef
from rdflib.compare import isomorphic

SCHEMA = Namespace("https://schema.org/")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def resources(vectors) -> dict[str, Resource]:
    """Every example of the schema."""
    paths = [
        *(vectors / "datacite").glob("examples/*.xml"),
        *(vectors / "datacite").glob("kernel-4.7/example/*.xml"),
    ]
    found = {f"{path.parent.name}/{path.name}": from_xml(path.read_bytes()) for path in paths}
    assert len(found) >= 25
    return found


@pytest.fixture(scope="module")
def schema(vectors) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(vectors / "datacite" / "kernel-4.7" / "metadata.xsd"))


def subject(resource: Resource | None) -> Subject:
    return Subject(
        handle="21.T99999/x",
        ark="ark:/99999/x",
        doi=resource.doi if resource else None,
        resolver_url="https://pid.example.org/21.T99999/x",
        target="https://repository.example.org/records/r1",
        kind=RecordKind.DATASET,
        created_at=NOW,
        updated_at=NOW,
        resource=resource,
    )


def awkward() -> Resource:
    """What breaks formats that are put together from text."""
    text = 'A{B}} "C" & D, E% \\ $x^2_1$ ~ #1 <i>F</i> and G\u2028 Größe 日本'
    return read_resource(
        {
            "doi": "10.5072/(sici)1<::aid>3.0.co;2-x",
            "creators": [
                {"name": "Research and Development, Inc.", "nameType": "Organizational"},
                {"name": "van der Berg, Ana", "nameType": "Personal"},
                {"name": text},
            ],
            "titles": [{"title": text}],
            "publisher": text,
            "publicationYear": 2026,
            "types": {"resourceTypeGeneral": "Dataset", "resourceType": text},
            "subjects": [{"subject": text}],
            "dates": [{"date": "2026-02-31", "dateType": "Issued"}],
            "descriptions": [{"description": "one\nER  - \n@misc{x}", "descriptionType": "Abstract"}],
            "rightsList": [{"rights": text, "rightsUri": 'https://x.example.org/a b<c>"d"'}],
        }
    )


def test_every_example_goes_through_json_and_xml_without_loss(resources, schema):
    for name, resource in resources.items():
        document = json.loads(json.dumps(resource.document()))
        written = to_xml(read_resource(document))
        assert schema.validate(etree.fromstring(written)), (name, schema.error_log)
        assert from_xml(written).document() == document, name


def test_bibtexparser_reads_our_bibtex(resources):
    for name, resource in {**resources, "awkward": awkward()}.items():
        library = bibtexparser.parse_string(bibtex(subject(resource), resource))
        assert library.failed_blocks == [], name
        (entry,) = library.entries
        assert entry["year"] == str(resource.publication_year)
        assert entry["title"].startswith("{"), "its case must be kept"


def test_bibtexparser_gets_names_and_texts_back(resources):
    resource = awkward()
    library = bibtexparser.parse_string(
        bibtex(subject(resource), resource),
        append_middleware=[
            bibtexparser.middlewares.SeparateCoAuthors(),
            bibtexparser.middlewares.LatexDecodingMiddleware(),
        ],
    )
    (entry,) = library.entries
    assert len(entry["author"]) == len(resource.creators)
    assert "Research and Development, Inc." in entry["author"][0]
    for words in ('"C" & D, E% \\ $x', "2_1$ ~ #1 <i>F</i> and G", "Größe 日本"):
        assert words in entry["title"]


def test_rispy_reads_our_ris(resources):
    for name, resource in {**resources, "awkward": awkward()}.items():
        (entry,) = rispy.loads(ris(subject(resource), resource))
        assert entry["primary_title"] == " ".join(main_title(resource).split()), name
        assert len(entry["authors"]) == len(resource.creators)
        assert entry["doi"] == resource.doi
        assert entry["year"] == str(resource.publication_year)


def named(graph: Graph) -> set[tuple[str, str]]:
    """What is said with each property, but for the things that have no name."""
    return {(str(verb), str(said)) for _, verb, said in graph if not isinstance(said, BNode)}


@pytest.mark.filterwarnings(
    "ignore:ConjunctiveGraph is deprecated:DeprecationWarning"
)  # rdflib's own parser uses it
def test_rdflib_reads_all_three_rdf_forms_alike(resources):
    for name, resource in {**resources, "awkward": awkward(), "bare": None}.items():
        thing = subject(resource)
        turtle = Graph().parse(data=rdf(thing, "turtle"), format="turtle")
        xml = Graph().parse(data=rdf(thing, "pretty-xml"), format="xml")
        linked = Graph().parse(data=json.dumps(schema_org(thing)), format="json-ld")
        assert isomorphic(turtle, xml), name
        if name != "awkward":  # where an address is no IRI, JSON-LD and we differ in what to make of it
            assert named(turtle) == named(linked), name
        about = next(one for one in turtle.subjects(SCHEMA.url) if turtle.value(one, SCHEMA.identifier))
        assert turtle.value(about, SCHEMA.url) == URIRef("https://repository.example.org/records/r1")
        assert turtle.value(about, RDF.type) is not None
        if resource is not None:
            assert str(turtle.value(about, SCHEMA.name)) == main_title(resource)


LINKSET_CONTEXT = {
    "@version": 1.1,
    "@vocab": "http://www.iana.org/assignments/relation/",
    "anchor": "@id",
    "href": "@id",
    "linkset": "@graph",
    "describedby": {"@context": {"type": "http://purl.org/dc/terms/format"}},
}
"""A linkset as RDF, in the way of RFC 9264, appendix A: relations are properties, anchors and targets are nodes."""


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
def test_rdflib_reads_our_linkset(resources):
    relation = Namespace(LINKSET_CONTEXT["@vocab"])
    page = URIRef("https://repository.example.org/records/r1")
    for name, resource in {**resources, "bare": None}.items():
        thing = subject(resource)
        descriptions = [(f"{thing.resolver_url}?format={one.name}", one.media_type) for one in FORMATS]
        document = json.loads(json.dumps(linkset(thing, descriptions)))
        graph = Graph().parse(data=json.dumps({"@context": LINKSET_CONTEXT, **document}), format="json-ld")
        assert graph.value(page, relation["cite-as"]) == URIRef(thing.url), name
        told = set(graph.objects(page, relation.describedby))
        assert told == {URIRef(address) for address, _ in descriptions}, name
        assert set(graph.subjects(relation.describes, page)) == told, name
        for address, media_type in descriptions:
            formats = [
                str(one) for one in graph.objects(URIRef(address), URIRef("http://purl.org/dc/terms/format"))
            ]
            assert formats == [media_type], name
        types = {str(one) for one in graph.objects(page, relation.type)}
        assert all(one.startswith(str(SCHEMA)) for one in types), name
        assert types, name


@pytest.mark.parametrize("style", ["apa", "ieee", "chicago-author-date", "modern-language-association", "nature"])
def test_citeproc_renders_our_csl(resources, style):
    csl = json.loads(json.dumps({name: csl_item(subject(one), one) for name, one in resources.items()}))
    known = Bibliography()
    for name, resource in resources.items():
        item = {key: value for key, value in csl[name].items() if key not in {"categories", "license"}}
        ready = CitationStylesStyle(style, locale="en-US", validate=False)
        bibliography = CitationStylesBibliography(ready, CiteProcJSON([item]), formatter.plain)
        bibliography.register(Citation([CitationItem(item["id"])]))
        rendered = " ".join(str(bibliography.bibliography()[0]).split())
        ours = known.cite(
            name, style_named(style), locale_named("en"), lambda one=resource: csl_item(subject(one), one)
        )
        assert ours.replace(" ", "") == rendered.replace(" ", "").replace("<br>", ""), name


def test_all_that_is_made_of_an_awkward_resource_can_be_read(schema):
    resource = awkward()
    for one in FORMATS:
        if one.of_resource is not None:
            assert one.of_resource(subject(resource), resource)
    written = to_xml(resource)
    assert schema.validate(etree.fromstring(written)), schema.error_log
    assert from_xml(written) == resource
    make = BY_NAME["datacite-json"].of_resource
    assert make is not None
    assert read_resource(json.loads(make(subject(resource), resource))) == resource


def test_the_schema_validates_what_a_handle_is_described_as(schema, vectors: Path):
    path = vectors / "datacite" / "kernel-4.7" / "example" / "datacite-example-poster-v4.xml"
    resource = from_xml(path.read_bytes()).model_copy(update={"doi": None})
    assert schema.validate(etree.fromstring(to_xml(resource, handle="21.T99999/x"))), schema.error_log
