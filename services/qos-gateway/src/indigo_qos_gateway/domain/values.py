"""Types of values, and how their bytes are shown in JSON (CDMI 1.1.1, clauses 8.2 and 8.4)."""

from __future__ import annotations

import base64
import re

from indigo_kernel.problems import BadRequest

MEDIA_TYPE = r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+( *;[\x20-\x7e]*)?$"
"""Of a media type (RFC 9110, section 8.3.1) that may stand in a header as it is."""

MOST_TYPE_CHARACTERS = 255

_MEDIA_TYPE = re.compile(MEDIA_TYPE)


def check_media_type(text: str) -> str:
    """Raises ``BadRequest`` for what is no media type."""
    # The pattern's end is also before a line's end, and a header would end there.
    if len(text) > MOST_TYPE_CHARACTERS or "\n" in text or _MEDIA_TYPE.match(text) is None:
        raise BadRequest(f"{text[:100]!r} is no media type")
    return text


def encoded(data: bytes, wanted: str) -> tuple[str, str]:
    """How bytes are shown in JSON, and so shown: as ``wanted`` if they can be."""
    if wanted == "utf-8":
        try:
            return "utf-8", data.decode()
        except UnicodeDecodeError:
            pass  # the client's word about its bytes was wrong
    return "base64", base64.b64encode(data).decode()
