"""Tables against their plan, by DuckDB: one pass for all counts, then the wrong rows of failed checks only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from indigo_contracts.integrity import Finding

from indigo_integrity.adapters.tabular.load import Loaded, load
from indigo_integrity.adapters.tabular.rows import check_keys, check_rows
from indigo_integrity.application.ports import TableFiles, TableReport, Trouble

_INTERRUPT_AGAIN = 0.1
"""Seconds between two interrupts: one that comes between two statements stops nothing."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What validating one dataset may use; ``findings`` are those written out per check."""

    memory_mb: int
    threads: int
    seconds: float
    findings: int
    scratch_mb: int


class DuckdbValidator:
    """A ``TableValidator``. The files are untrusted: the engine can read them and nothing else."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    async def validate(self, tables: Sequence[TableFiles], checked: Sequence[str], workspace: Path) -> TableReport:
        findings: list[Finding] = []
        with self._connect(tables, workspace) as connection:
            working = asyncio.create_task(
                asyncio.to_thread(self._validate, connection, tables, set(checked), workspace, findings)
            )
            late = False
            try:
                done, _ = await asyncio.wait({working}, timeout=self._budget.seconds)
                late = not done
            finally:  # also when this run is canceled: a thread cannot be
                while not working.done():
                    connection.interrupt()
                    await asyncio.wait({working}, timeout=_INTERRUPT_AGAIN)
            try:
                return TableReport(findings, await working)
            except (duckdb.InterruptException, duckdb.OutOfMemoryException) as error:
                if isinstance(error, duckdb.InterruptException) and not late:
                    raise
                findings.append(_limit("time" if late else "memory"))
                return TableReport(findings, {}, complete=False)
            except duckdb.Error as error:
                raise Trouble(f"the table engine failed: {error}") from error

    def _validate(
        self,
        connection: duckdb.DuckDBPyConnection,
        tables: Sequence[TableFiles],
        checked: set[str],
        workspace: Path,
        findings: list[Finding],
    ) -> dict[str, int]:
        """Adds to ``findings`` as it goes, so that they are there when a limit stops it; returns the rows."""
        loaded: dict[str, Loaded] = {}
        for number, table in enumerate(tables):
            result = load(connection, table, f"t{number}", workspace, keep=self._budget.findings)
            loaded[table.spec.name] = result
            if table.spec.name in checked:
                findings += result.findings
        for name in sorted(checked & loaded.keys()):
            findings += check_rows(connection, loaded[name], keep=self._budget.findings)
            findings += check_keys(connection, loaded[name], loaded, keep=self._budget.findings)
        return {name: loaded[name].rows for name in sorted(checked & loaded.keys())}

    def _connect(self, tables: Sequence[TableFiles], workspace: Path) -> duckdb.DuckDBPyConnection:
        spill = workspace / "spill"
        connection = duckdb.connect(
            ":memory:",
            config={
                "threads": self._budget.threads,
                "memory_limit": f"{self._budget.memory_mb}MiB",
                "temp_directory": str(spill),
                "max_temp_directory_size": f"{self._budget.scratch_mb}MiB",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        files = [str(workspace / name) for name in scratch_names(tables)]
        connection.execute("SET allowed_paths = $1", [files])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection


def scratch_names(tables: Sequence[TableFiles]) -> list[str]:
    """The names of the decoded copies, one per file of each table."""
    return [f"t{n}-{m}.csv" for n, table in enumerate(tables) for m in range(len(table.files))]


def _limit(what: str) -> Finding:
    return Finding(
        code=f"{what}-limit",
        severity="warning",
        message=f"the validation was stopped: it used more {what} than the operator allows",
    )
