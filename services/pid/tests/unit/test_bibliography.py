from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from indigo_pid.citation import bibliography
from indigo_pid.citation.bibliography import Bibliography, UnknownLocale, UnknownStyle, locale_named, style_named

ITEM = {
    "id": "https://doi.org/10.5072/x",
    "type": "dataset",
    "title": "Water",
    "author": [{"family": "Carberry", "given": "Josiah"}],
    "issued": {"date-parts": [[2026, 1, 1]]},
    "publisher": "INDIGO",
    "DOI": "10.5072/x",
    "URL": "https://doi.org/10.5072/x",
}


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("apa", "apa"),
        (" APA ", "apa"),
        ("vancouver", "nlm-citation-sequence"),
        ("mla", "modern-language-association"),
        ("2d-materials", "2d-materials"),
    ],
)
def test_styles_by_their_names_of_today_and_before(name, style):
    assert style_named(name) == style


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../apa", "dependent/2d-materials", "apa.csl", "styles/apa", "/etc/passwd", "x" * 10_000],
)
def test_what_is_no_style(name):
    with pytest.raises(UnknownStyle) as unknown:
        style_named(name)
    assert len(str(unknown.value)) < 200


@pytest.mark.parametrize(
    ("name", "locale"), [("en", "en-US"), ("DE", "de-DE"), ("pt-br", "pt-BR"), ("en_GB", "en-GB"), ("eu", "eu")]
)
def test_locales_by_language(name, locale):
    assert locale_named(name) == locale


@pytest.mark.parametrize("name", ["", "tlh", "../en-US", "en-XX"])
def test_what_is_no_locale(name):
    with pytest.raises(UnknownLocale):
        locale_named(name)


def test_a_dependent_style_has_the_rules_of_its_parent():
    made = Bibliography()
    child = made.cite(1, "2d-materials", "en-US", lambda: ITEM)
    assert child == made.cite(1, "institute-of-physics-numeric", "en-US", lambda: ITEM)


def test_a_style_without_a_bibliography_says_so():
    with pytest.raises(UnknownStyle, match="no bibliography"):
        Bibliography().cite(1, "bluebook-inline", "en-US", lambda: ITEM)


def test_a_citation_is_made_once_and_again_when_the_metadata_changed():
    made, asked = Bibliography(), []

    def item():
        asked.append(1)
        return ITEM

    for _ in range(3):
        made.cite(("x", 1), "apa", "en-US", item)
    assert len(asked) == 1
    made.cite(("x", 2), "apa", "en-US", item)
    made.cite(("x", 1), "ieee", "en-US", item)
    made.cite(("x", 1), "apa", "de-DE", item)
    assert len(asked) == 4


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(bibliography, "_MOST_CITATIONS", 3)
    made = Bibliography()
    for number in range(5):
        made.cite(number, "nature", "en-US", lambda: ITEM)
    made.known(2, "nature", "en-US")  # looked up, so not the next to go
    made.cite(5, "nature", "en-US", lambda: ITEM)
    kept = [number for number in range(6) if made.known(number, "nature", "en-US")]
    assert kept == [2, 4, 5]


def test_threads_get_what_one_alone_gets():
    alone, together = Bibliography(), Bibliography()
    asked = [(number % 4, style) for number in range(24) for style in ("nature", "ieee")]
    items = [{**ITEM, "title": f"Water {number}"} for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda one: together.cite(one[0], one[1], "en-US", lambda: items[one[0]]), asked))
    assert found == [alone.cite(number, style, "en-US", lambda n=number: items[n]) for number, style in asked]


@pytest.mark.parametrize("locale", ["en-US", "de-DE", "fr-FR", "pt-BR", "zh-CN", "ar"])
def test_a_broad_sample_of_styles_in_any_language(locale):
    """Every style renders, in plain text that names what is cited, or says that it cannot."""
    names = sorted(bibliography._installed())
    assert len(names) > 10_000
    made, refused = Bibliography(), []
    sample = names[len(locale) :: 100]
    for name in sample:
        try:
            text = made.cite(name, style_named(name), locale_named(locale), lambda: ITEM)
        except UnknownStyle as error:
            refused.append(f"{name}: {error}")
            continue
        assert "carberry" in text.lower() or "water" in text.lower(), name
        assert "\n" not in text
        assert not {"<i>", "</i>", "<b>", "&#", "&amp;"} & set(text.split()), text
    assert len(refused) <= len(sample) // 4, refused
