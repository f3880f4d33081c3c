"""Pages of the resolver: what a browser sees instead of a problem document."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

_templates = Environment(
    loader=PackageLoader("indigo_pid.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def wants_html(request: Request) -> bool:
    """Whether the caller asks for HTML by name, as browsers do; tools that take anything get JSON."""
    accept = request.headers.get("accept", "").lower()
    return "text/html" in accept or "application/xhtml+xml" in accept


def page(template: str, status: int, headers: dict[str, str], **values: Any) -> HTMLResponse:
    """The page ``template`` filled with ``values``, which are escaped."""
    html = _templates.get_template(template).render(**values)
    return HTMLResponse(html, status, {**headers, "content-security-policy": _POLICY})
