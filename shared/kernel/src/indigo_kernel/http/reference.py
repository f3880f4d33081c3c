"""The page at ``/docs``: the OpenAPI document as plain HTML, rendered here, without scripts or foreign hosts."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from indigo_kernel.http.openapi import operations

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--band:#f4f6f8;--line:#d0d7de;--link:#0b57a4}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--band:#161b22;--line:#3d444d;--link:#79b8ff}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem;color:var(--ink);
background:var(--paper);overflow-wrap:break-word}
code,pre{font:14px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
pre{background:var(--band);padding:.75rem;overflow:auto}
h2{margin:2.5rem 0 .5rem}section{border-top:1px solid var(--line);margin-top:1.5rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}
th{font-weight:500}.method{display:inline-block;min-width:4.5rem;font-weight:700}
nav li{list-style:none;margin:.25rem 0}nav ul{padding:0}
.deprecated{text-decoration:line-through}a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
@media(max-width:40rem){thead{position:absolute;left:-100vw}tr{display:block;padding:.4rem 0;
border-bottom:1px solid var(--line)}td{display:block;border:0;padding:0}}
"""


def reference_page(document: dict[str, Any]) -> str:
    """HTML for ``document``, an OpenAPI 3.1 description: contents, operations by tag, schemas."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for one in operations(document):
        groups.setdefault((one[2].get("tags") or ["operations"])[0], []).append(one)
    contents = "".join(
        f"<li><b>{escape(tag)}</b><ul>{''.join(map(_entry, group))}</ul></li>" for tag, group in groups.items()
    )
    body = "".join(
        f"<h2>{escape(tag)}</h2>{''.join(_operation(*one) for one in group)}" for tag, group in groups.items()
    )
    schemas = document.get("components", {}).get("schemas", {})
    models = "".join(
        f"<section id='schema-{escape(name)}'><h3>{escape(name)}</h3>{_schema_body(schema)}</section>"
        for name, schema in sorted(schemas.items())
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1>"
        f"{_prose(info.get('description'))}<p>Machine-readable: <a href='openapi.json'>openapi.json</a></p>"
        f"<nav aria-label='Contents'><ul>{contents}</ul></nav>{body}<h2>Schemas</h2>{models}</main></body></html>"
    )


def _entry(one: tuple[str, str, dict[str, Any]]) -> str:
    path, method, operation = one
    return (
        f"<li><a href='#{escape(operation['operationId'])}'><code><span class='method'>{method.upper()}</span>"
        f"{escape(path)}</code></a> {escape(operation.get('summary', ''))}</li>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    name = escape(operation["operationId"])
    struck = " class='deprecated'" if operation.get("deprecated") else ""
    heading = f"<code><span class='method'>{method.upper()}</span>{escape(path)}</code>"
    summary = f"<p>{escape(operation.get('summary', ''))} · <code>{name}</code></p>"
    parts = [f"<section id='{name}'><h3{struck}>{heading}</h3>{summary}", _prose(operation.get("description"))]
    if operation.get("parameters"):
        rows = "".join(
            _row(
                f"{one['name']} ({one['in']})",
                _type(one.get("schema", {})),
                one.get("description", ""),
                required=one.get("required", False),
            )
            for one in operation["parameters"]
        )
        parts.append(_table(("Parameter", "Type", "Meaning"), rows))
    if "requestBody" in operation:
        rows = "".join(
            f"<tr><td><code>{escape(media)}</code></td><td>{_type(content.get('schema', {}))}</td></tr>"
            for media, content in operation["requestBody"]["content"].items()
        )
        parts.append(_table(("Body", "Type"), rows))
    rows = "".join(_answer(status, answer) for status, answer in operation["responses"].items())
    parts.append(_table(("Answer", "Type", "Meaning"), rows))
    return "".join(parts) + "</section>"


def _answer(status: str, answer: dict[str, Any]) -> str:
    types = "<br>".join(
        f"<code>{escape(media)}</code> {_type(content.get('schema', {}))}"
        for media, content in answer.get("content", {}).items()
    )
    meaning = escape(answer.get("description", ""))
    return f"<tr><td><b>{escape(status)}</b></td><td>{types}</td><td>{meaning}</td></tr>"


def _schema_body(schema: dict[str, Any]) -> str:
    properties = schema.get("properties")
    if not properties:
        return f"{_prose(schema.get('description'))}<pre>{escape(json.dumps(schema, indent=2))}</pre>"
    required = set(schema.get("required", []))
    rows = "".join(
        _row(name, _type(one), one.get("description", ""), required=name in required)
        for name, one in properties.items()
    )
    return _prose(schema.get("description")) + _table(("Field", "Type", "Meaning"), rows)


def _type(schema: dict[str, Any]) -> str:
    """A short name for a schema, with links to the named ones."""
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rpartition("/")[2])
        return f"<a href='#schema-{name}'>{name}</a>"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " | ".join(map(_type, schema[key]))
    if "enum" in schema:
        return " | ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    told = " | ".join(kind) if isinstance(kind, list) else str(kind)
    return escape(f"{told} ({schema['format']})" if "format" in schema else told)


def _row(name: str, kind: str, meaning: str, *, required: bool) -> str:
    needed = " <b>required</b>" if required else ""
    return f"<tr><td><code>{escape(name)}</code>{needed}</td><td>{kind}</td><td>{escape(meaning)}</td></tr>"


def _table(heads: tuple[str, ...], rows: str) -> str:
    columns = "".join(f"<th scope=col>{head}</th>" for head in heads)
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>"


def _prose(text: str | None) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in (text or "").split("\n\n") if part.strip())
