"""Generated files that are committed: event schemas and pages, OpenAPI and AsyncAPI documents, README tables.

``python -m indigo_suite.golden`` writes them, ``--check`` only says which are stale. An event schema is never
replaced by one that old readers cannot read: fields may be added as optional ones, nothing else (``compatible``).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from indigo_contracts.asyncapi import asyncapi
from indigo_contracts.envelope import Fact
from indigo_contracts.problems import BASE, PROBLEMS
from indigo_contracts.registry import FACTS
from indigo_kernel.settings import settings_table

from indigo_suite.services import SERVICE_KINDS, Kind

SCHEMAS = Path("shared/contracts/schemas")


def files(root: Path) -> Iterator[tuple[Path, str]]:
    """Every generated file with the text it should have."""
    for fact in FACTS.values():
        yield root / SCHEMAS / f"{fact.fact}.json", _json(fact.model_json_schema())
        yield root / "docs" / "events" / f"{fact.fact}.md", _event_page(fact)
    yield root / "docs" / "events" / "README.md", _event_index()
    yield root / "docs" / "problems.md", _problems()
    yield (
        root / "docs" / "api" / "asyncapi.json",
        _json(asyncapi("INDIGO Data Life Cycle", "1", sends=FACTS.values())),
    )
    for name, kind in SERVICE_KINDS.items():
        yield root / "docs" / "api" / f"{name}.openapi.json", _json(kind.example().api.openapi())
        readme = root / "services" / name / "README.md"
        yield readme, _with_settings(readme.read_text(), kind)


def compatible(old: dict[str, Any], new: dict[str, Any], at: str = "") -> list[str]:
    """What a reader of ``old`` could not cope with in ``new``: removals, other types, new required fields."""
    broken: list[str] = []
    for name, before in {**old.get("properties", {}), **old.get("$defs", {})}.items():
        after = new.get("properties", {}).get(name) or new.get("$defs", {}).get(name)
        where = f"{at}/{name}"
        if after is None:
            broken.append(f"{where} was removed")
        elif before.get("type") != after.get("type") or before.get("$ref") != after.get("$ref"):
            broken.append(f"{where} has another type")
        else:
            broken += compatible(before, after, where)
            gone = set(map(str, before.get("enum", []))) - set(map(str, after.get("enum", [])))
            if gone:
                broken.append(f"{where} lost the values {', '.join(sorted(gone))}")
    broken += [
        f"{at}/{name} is newly required" for name in set(new.get("required", [])) - set(old.get("required", []))
    ]
    return broken


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _consumers(fact: type[Fact]) -> list[str]:
    return [name for name, kind in SERVICE_KINDS.items() if fact in kind.receives()]


def _table(headings: str, rows: Iterable[str]) -> str:
    """A Markdown table; ``headings`` and rows have their cells separated by bars."""
    rule = " | ".join("---" for _ in headings.split("|"))
    return "\n".join([f"| {headings} |", f"| {rule} |", *(f"| {row} |" for row in rows)])


def _event_page(fact: type[Fact]) -> str:
    service = fact.fact.split(".", 1)[0]
    schema = fact.model_json_schema()
    required = schema.get("required", [])
    fields = _table(
        "field | type | required | meaning",
        (
            f"`{name}` | {_type(field)} | {'yes' if name in required else 'no'} | {field.get('description', '')}"
            for name, field in schema["properties"].items()
        ),
    )
    readers = ", ".join(_consumers(fact)) or "nobody in the suite yet"
    return (
        f"# {fact.fact}\n\n{_meaning(fact)}\n\n"
        f"- CloudEvents `type`: `{fact.event_type()}`\n"
        f"- AMQP routing key: `{fact.fact}` on the topic exchange `indigo.events`\n"
        f"- stated by: {service}; applied by: {readers}\n"
        f"- schema of `data`: [`{fact.fact}.json`](../../{SCHEMAS}/{fact.fact}.json)\n\n{fields}\n"
    )


def _meaning(fact: type[Fact]) -> str:
    return " ".join((fact.__doc__ or "").split())


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rsplit('/', 1)[-1]}`"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return f"`{schema.get('format') or schema.get('type', 'any')}`"


def _event_index() -> str:
    rows = (f"[`{fact.fact}`]({fact.fact}.md) | {_meaning(fact)}" for fact in FACTS.values())
    return (
        "# Events\n\nEvery fact the suite states, as CloudEvents 1.0.2 in structured JSON.\n"
        "Subscribe on RabbitMQ, or read `GET /events?after=` of the service that states it.\n\n"
        + _table("fact | meaning", rows)
        + "\n"
    )


def _problems() -> str:
    rows = (f"`{slug}` | {status} | {title}" for slug, (status, title) in PROBLEMS.items())
    return (
        "# Problem types\n\nErrors are `application/problem+json` (RFC 9457). `type` is\n"
        f"`{BASE}<slug>`; `errors` names the fields that are wrong by JSON Pointer.\n\n"
        + _table("slug | status | title", rows)
        + "\n"
    )


def _with_settings(text: str, kind: Kind) -> str:
    """A service's README with the table of its settings as they are."""
    table = re.compile(r"\| setting \| default \| meaning \|\n(?:\|.*\n)+")
    if not table.search(text):
        raise SystemExit("a service's README lacks the table of its settings")
    return table.sub(lambda _: settings_table(kind.settings) + "\n", text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the repository")
    arguments = parser.parse_args()
    stale: list[str] = []
    for path, text in files(arguments.root):
        before = path.read_text() if path.exists() else None
        if before == text:
            continue
        stale.append(str(path.relative_to(arguments.root)))
        if arguments.check:
            continue
        if before and path.parent.name == "schemas":
            broken = compatible(json.loads(before), json.loads(text))
            if broken:
                print(f"{path.name}: old readers could not read this:", *broken, sep="\n  ", file=sys.stderr)
                return 1
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in stale:
        print(f"{'stale' if arguments.check else 'wrote'}: {name}")
    if arguments.check and stale:
        print("Run: make golden", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
