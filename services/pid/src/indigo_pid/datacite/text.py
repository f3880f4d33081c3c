"""Values as DataCite metadata has them: XML can carry them, and XML and JSON say the same."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

_LINE_BREAK = re.compile(r"[ \t]*[\t\n\r][ \t\n\r]*")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_URI = re.compile(
    r"""
    (?:[A-Za-z][A-Za-z0-9+.\-]*: | (?![^/?\#]*:) )  # a scheme, or no colon in the first segment
    (?:// (?:[^/?\#\[\]@]*@)? (?:\[[0-9A-Fa-f:.]+\] | [^/?\#\[\]:@]*) (?::[0-9]{0,5})? (?=[/?\#]|\Z) | (?!//) )
    [^?\#\[\]]* (?:\?[^\#\[\]]*)? (?:\#[^\#\[\]]*)?
    """,
    re.VERBOSE,
)


def one_line(text: str) -> str:
    """``text`` with a space where a line was broken: indentation of an XML document means nothing."""
    return _LINE_BREAK.sub(" ", text).strip()


def lines(text: str) -> str:
    """``text`` without blanks around its lines, each ended by a line feed."""
    return "\n".join(one_line(line) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")).strip()


def _writable(text: str) -> str:
    if found := _FORBIDDEN.search(text):
        raise PydanticCustomError(
            "characters",
            "The character U+{point} cannot stand in XML",
            {"point": f"{ord(found[0]):04X}"},
        )
    return text


def _line(text: str) -> str:
    return one_line(_writable(text))


def _lines(text: str) -> str:
    return lines(_writable(text))


def _uri(text: str) -> str:
    uri = one_line(_writable(text))
    if _BAD_ESCAPE.search(uri):
        raise PydanticCustomError("uri", "In a URI, % is followed by two hexadecimal digits (RFC 3986, 2.1)")
    if not _URI.fullmatch(uri):
        raise PydanticCustomError("uri", "It is no URI (RFC 3986, 4.1)")
    return uri


Line = Annotated[str, AfterValidator(_line)]
"""Text without line breaks."""

Lines = Annotated[str, AfterValidator(_lines)]
"""Text whose line feeds are ``<br/>`` in XML."""

Uri = Annotated[str, AfterValidator(_uri)]
"""A URI reference (xs:anyURI), in which characters that must be escaped in a URI may stand as they are."""

Language = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$")]
"""A language tag (RFC 5646, in the form of xs:language)."""
