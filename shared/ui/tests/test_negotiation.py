"""Which representation a reader gets."""

import pytest
from indigo_ui.negotiation import preferred, wants_page

OFFERS = ["text/html", "application/json"]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        ("application/json", "application/json"),
        ("application/*", "application/json"),
        ("text/html;q=0.2, application/json;q=0.9", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("image/png", None),
        ("text/html;q=nonsense", None),
    ],
)
def test_preferred(accept, chosen):
    assert preferred(accept, OFFERS) == chosen


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (None, False),
        ("*/*", False),
        ("application/json, text/html", False),
        ("application/json;q=0.5, text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
    ],
)
def test_pages_are_for_those_who_name_html(accept, page):
    assert wants_page(accept) is page
