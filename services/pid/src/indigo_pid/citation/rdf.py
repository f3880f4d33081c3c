"""RDF of what an identifier names: the statements of its schema.org description, as Turtle or RDF/XML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Literal

from rdflib import RDF, XSD, BNode, Graph, Namespace, URIRef
from rdflib import Literal as Value
from rdflib.term import Node

from indigo_pid.citation.schema_org import VOCABULARY, schema_org
from indigo_pid.citation.subject import Subject

Syntax = Literal["turtle", "pretty-xml"]

_SCHEMA = Namespace(VOCABULARY)
_ADDRESSES = frozenset({"url", "license", "identifier"})
"""Properties whose values are addresses where they look like one."""
_DATES = frozenset({"datePublished", "dateCreated", "dateModified"})
_DATATYPES = (
    (re.compile(r"\d{4}-\d\d-\d\d"), XSD.date),
    (re.compile(r"\d{4}-\d\d"), XSD.gYearMonth),
    (re.compile(r"\d{4}"), XSD.gYear),
)
_IRI = re.compile(r"(?:https?://|ark:)[^\x00-\x20<>\"{}|\\^`]+")


def rdf(subject: Subject, syntax: Syntax) -> str:
    """The graph of ``subject``. The same subject makes the same text."""
    graph = Graph()
    graph.bind("schema", _SCHEMA)
    _tell(graph, schema_org(subject), count())
    return graph.serialize(format=syntax)


def _tell(graph: Graph, node: Mapping[str, Any], numbers: Iterator[int]) -> Node:
    name = node.get("@id")
    subject = URIRef(name) if name and _IRI.fullmatch(name) else BNode(f"n{next(numbers)}")
    if "@type" in node:
        graph.add((subject, RDF.type, _SCHEMA[node["@type"]]))
    for key, values in node.items():
        if not key.startswith("@"):
            for value in values if isinstance(values, list) else [values]:
                told = _tell(graph, value, numbers) if isinstance(value, Mapping) else _value(key, str(value))
                graph.add((subject, _SCHEMA[key], told))
    return subject


def _value(key: str, text: str) -> Node:
    if key in _ADDRESSES and _IRI.fullmatch(text):
        return URIRef(text)
    if key in _DATES:
        for form, datatype in _DATATYPES:
            if form.fullmatch(text):
                # Not normalized: rdflib complains of days that do not exist, and the words are the source's.
                return Value(text, datatype=datatype, normalize=False)
    return Value(text)
