"""Pages as answers: a template of the service inside the common layout, with a policy that allows no script."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

_CSS = files("indigo_ui").joinpath("style.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: the style sheet in the page by its hash, images, and nothing else."""

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


class Pages:
    """Renders the templates in ``<package>/templates``; they extend ``layout.html`` and import ``macros.html``.

    Everything put into a template is escaped. A name that is not given is an error, not an empty string.
    """

    def __init__(self, package: str) -> None:
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("indigo_ui")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(size=human_size, instant=instant, json_block=json_block)
        self._environment.globals["stylesheet"] = Markup(_CSS)  # noqa: S704 - a file of this package

    def response(
        self,
        template: str,
        context: Mapping[str, Any],
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """The page as an answer. ``context`` must have what the template names, and ``title``."""
        body = self._environment.get_template(template).render(**context)
        return HTMLResponse(
            body,
            status_code=status_code,
            headers={
                **(headers or {}),
                "content-security-policy": POLICY,
                "referrer-policy": "strict-origin-when-cross-origin",
            },
        )


def human_size(size: int) -> str:
    """Bytes with a decimal unit (SI): ``1500`` → ``1.5 kB``."""
    value = float(size)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def instant(value: datetime | date) -> str:
    """A date, or an instant in UTC to the minute."""
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value.isoformat()


def json_block(value: object) -> Markup:
    """JSON that may stand inside ``<script type="application/ld+json">``: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - escaped above
