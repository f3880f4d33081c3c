"""Which representation a reader gets."""

import pytest
from indigo_repository.web.negotiation import preferred

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
