"""Reading XML that others wrote: nothing in it is expanded, and nothing is fetched."""

from __future__ import annotations

from lxml import etree


class UnreadableXml(ValueError):
    """The document is not read; the text says why."""


def parse_xml(document: bytes, most: int) -> etree._Element:
    """The root of a UTF-8 document of at most ``most`` bytes, without comments. Raises ``UnreadableXml``.

    A document type declaration is refused, so there are no entities but those of XML itself.
    """
    if len(document) > most:
        raise UnreadableXml(f"A document has at most {most} bytes")
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableXml("A document is written in UTF-8") from None
    # Looked for before anything is parsed: parsers expand entities in attributes even when told not to.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnreadableXml("A document has no document type declaration and no entities of its own")
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableXml(f"It is not well-formed XML: {error.msg}") from None
