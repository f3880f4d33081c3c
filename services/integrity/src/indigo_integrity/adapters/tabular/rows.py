"""The checks of a loaded table's rows: values, uniqueness, primary and foreign keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
from indigo_contracts.integrity import Finding
from indigo_contracts.structure import FieldSpec, ForeignKey

from indigo_integrity.adapters.tabular.expressions import (
    Check,
    definition_probes,
    field_checks,
    identity,
    value,
)
from indigo_integrity.adapters.tabular.load import Loaded

_SHOWN = 200
"""Characters of a bad value that are told."""


def check_rows(connection: duckdb.DuckDBPyConnection, table: Loaded, *, keep: int) -> list[Finding]:
    """Values against types and constraints; up to ``keep`` rows are told per check, the rest is counted."""
    findings: list[Finding] = []
    labels: dict[str, str | None] = {"_extra": None}
    checks = [
        Check("extra-cell", "cell", "_extra", "_extra IS NOT NULL", "the row has more cells than the header")
    ]
    for field in table.spec.fields:
        column = table.columns.get(field.name)
        if column is None:
            continue  # a missing column is told once, not once per row
        labels[column] = field.name
        broken = _unusable(connection, table, field)
        findings += broken
        if not broken:
            checks += field_checks(field, column, table.spec.missing_values)
    columns = ", ".join(f"count_if({check.condition})" for check in checks)
    counts = connection.execute(f"SELECT {columns} FROM {table.relation}").fetchone()  # noqa: S608
    assert counts is not None
    for check, count in zip(checks, counts, strict=True):
        if count:
            findings += _wrong_rows(
                connection,
                table,
                f"SELECT _file, _row, {check.column} FROM {table.relation} WHERE {check.condition}",  # noqa: S608
                count=count,
                keep=keep,
                code=check.code,
                message=check.message,
                label=labels[check.column],
                expected={check.rule: check.expected} if check.expected is not None else None,
            )
    return findings


def _unusable(connection: duckdb.DuckDBPyConnection, table: Loaded, field: FieldSpec) -> list[Finding]:
    """What of a field's definition the engine cannot test: an invalid pattern, format or bound."""
    findings = []
    for what, query in definition_probes(field):
        try:
            answer = connection.execute(query).fetchone()
            reason = "" if answer and answer[0] else f"it does not fit the type {field.type}"
        except (duckdb.InterruptException, duckdb.OutOfMemoryException):
            raise
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
        if reason:
            findings.append(
                Finding(
                    code="schema-error",
                    severity="error",
                    message=f"the plan's {what} cannot be tested: {reason}",
                    location={"table": table.spec.name, "column": field.name},
                )
            )
    return findings


def check_keys(
    connection: duckdb.DuckDBPyConnection, table: Loaded, tables: Mapping[str, Loaded], *, keep: int
) -> list[Finding]:
    """Unique fields, the primary key, and foreign keys into the other ``tables``."""
    findings: list[Finding] = []
    for field in table.spec.fields:
        if field.unique and field.name in table.columns:
            findings += _repeated(connection, table, [field.name], "unique-error", keep)
    key = table.spec.primary_key
    if key and all(name in table.columns for name in key):
        empty = " OR ".join(f"{_cell(table, name)} IS NULL" for name in key)
        rows = f"SELECT _file, _row, NULL FROM {table.relation} WHERE {empty}"  # noqa: S608 - expressions of ours
        findings += _counted(
            connection, table, rows, keep, "primary-key", "a part of the key is missing", ", ".join(key)
        )
        findings += _repeated(connection, table, key, "primary-key", keep)
    for foreign in table.spec.foreign_keys:
        findings += _foreign(connection, table, foreign, tables, keep)
    return findings


def _field(table: Loaded, name: str) -> FieldSpec:
    return next(field for field in table.spec.fields if field.name == name)


def _cell(table: Loaded, name: str, alias: str = "") -> str:
    return value(alias + table.columns[name], table.spec.missing_values)


def _identity(table: Loaded, name: str, alias: str = "") -> str:
    return identity(_field(table, name), _cell(table, name, alias))


def _repeated(
    connection: duckdb.DuckDBPyConnection, table: Loaded, names: list[str], code: str, keep: int
) -> list[Finding]:
    """Every row that has the key of an earlier one; rows with a missing part have no key."""
    keys = [_identity(table, name) for name in names]
    present = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    one = keys[0] if len(keys) == 1 else f"row({', '.join(keys)})"
    answer = connection.execute(
        f"SELECT count(*) - count(DISTINCT {one}) FROM {table.relation} WHERE {present}"  # noqa: S608
    ).fetchone()
    assert answer is not None
    if not answer[0]:
        return []
    shown = _cell(table, names[0]) if len(names) == 1 else f"concat_ws(', ', {', '.join(keys)})"
    return _wrong_rows(
        connection,
        table,
        f"SELECT _file, _row, {shown} FROM {table.relation} WHERE {present}"  # noqa: S608
        f" QUALIFY row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY _file, _row) > 1",
        count=answer[0],
        keep=keep,
        code=code,
        message="an earlier row has the same value" if len(names) == 1 else "an earlier row has the same key",
        label=", ".join(names),
        expected=None,
    )


def _foreign(
    connection: duckdb.DuckDBPyConnection,
    table: Loaded,
    foreign: ForeignKey,
    tables: Mapping[str, Loaded],
    keep: int,
) -> list[Finding]:
    label = ", ".join(foreign.fields)
    target = tables.get(foreign.table)
    known = target is not None and all(name in target.columns for name in foreign.reference)
    if len(foreign.fields) != len(foreign.reference) or target is None:
        message = f"the plan's foreign key into {foreign.table} cannot be tested: it does not fit its table"
        return [_key_finding("schema-error", message, table, label)]
    if not known or not all(name in table.columns for name in foreign.fields):
        message = f"the key cannot be looked up: {foreign.table} or this table lacks its columns"
        return [_key_finding("foreign-key", message, table, label)]
    here = [_identity(table, name, "a.") for name in foreign.fields]
    there = [_identity(target, name, "b.") for name in foreign.reference]
    present = " AND ".join(f"{key} IS NOT NULL" for key in here)
    same = " AND ".join(f"{a} = {b}" for a, b in zip(here, there, strict=True))
    rows = (
        f"SELECT _file, _row, concat_ws(', ', {', '.join(here)}) FROM {table.relation} a"  # noqa: S608
        f" WHERE {present} AND NOT EXISTS (SELECT 1 FROM {target.relation} b WHERE {same})"
    )
    message = f"there is no such row in {foreign.table}"
    return _counted(connection, table, rows, keep, "foreign-key", message, label)


def _key_finding(code: str, message: str, table: Loaded, label: str) -> Finding:
    where: dict[str, str | int] = {"table": table.spec.name, "column": label}
    return Finding(code=code, severity="error", message=message, location=where)


def _counted(
    connection: duckdb.DuckDBPyConnection,
    table: Loaded,
    rows: str,
    keep: int,
    code: str,
    message: str,
    label: str,
) -> list[Finding]:
    answer = connection.execute(f"SELECT count(*) FROM ({rows})").fetchone()  # noqa: S608
    assert answer is not None
    if not answer[0]:
        return []
    return _wrong_rows(
        connection, table, rows, count=answer[0], keep=keep, code=code, message=message, label=label, expected=None
    )


def _wrong_rows(
    connection: duckdb.DuckDBPyConnection,
    table: Loaded,
    rows: str,
    *,
    count: int,
    keep: int,
    code: str,
    message: str,
    label: str | None,
    expected: dict[str, Any] | None,
) -> list[Finding]:
    where: dict[str, str | int] = {"table": table.spec.name}
    if label is not None:
        where["column"] = label
    shown = connection.execute(f"{rows} ORDER BY _file, _row LIMIT {keep}").fetchall()
    findings = [
        Finding(
            code=code,
            severity="error",
            message=message,
            location=where | {"file": table.files[file], "row": row},
            expected=expected,
            observed=bad[:_SHOWN] if bad is not None else None,
        )
        for file, row, bad in shown
    ]
    if count > len(shown):
        left = count - len(shown)
        findings.append(
            Finding(code=code, severity="error", message=f"{message}: and {left} more", location=where, count=left)
        )
    return findings
