"""``make bench``: every benchmark, one table. Figures are of this machine at this moment; ratios travel better."""

from __future__ import annotations

import importlib
import sys

from rich.console import Console
from rich.table import Table

BENCHMARKS = (
    "http_routes",
    "events",
    "startup",
    "tables",
    "qos_gateway",
    "qos_recall",
    "pid_metadata",
    "pid_resolver",
    "pid_registrar",
)


def main(names: list[str]) -> None:
    table = Table(title="Benchmarks", title_justify="left")
    table.add_column("what", overflow="fold")
    table.add_column("figure", overflow="fold")
    console = Console(width=None if sys.stdout.isatty() else 130)
    for name in names or BENCHMARKS:
        console.print(f"running {name} …")
        for what, figure in importlib.import_module(name).run():
            table.add_row(what, figure)
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
