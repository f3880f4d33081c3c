"""The ledger as a table for people: one line per promise, with the evidence and when it came."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

_STYLE = {"planned": "dim", "due": "yellow", "kept": "green", "broken": "bold red"}


def name_of(promise: dict[str, Any]) -> str:
    """What is promised, in a word or two."""
    output = promise.get("output") or "plan"
    what = (promise.get("test") and f"{promise['level']} test") or promise["kind"]
    return f"{output}: {what}"


def ledger(promises: list[dict[str, Any]], seen: dict[str, float]) -> Table:
    """``seen`` maps a promise's id to the seconds after which its present state was first seen."""
    table = Table(title="The ledger", title_justify="left", expand=True)
    table.add_column("promise", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("evidence", overflow="fold")
    for promise in promises:
        evidence = promise.get("evidence") or {}
        after = seen.get(promise["promise_id"])
        table.add_row(
            name_of(promise),
            Text(promise["state"], style=_STYLE[promise["state"]]),
            f"{after:.1f} s" if after is not None else "",
            evidence.get("summary", ""),
        )
    return table
