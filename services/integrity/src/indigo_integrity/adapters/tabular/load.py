"""The files of one table into the engine, as text with row numbers; what is wrong with their shape is told."""

from __future__ import annotations

import csv
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from indigo_contracts.integrity import Finding
from indigo_contracts.structure import TableSpec

from indigo_integrity.adapters.tabular.expressions import text
from indigo_integrity.adapters.tabular.prepare import (
    MAX_LINE_BYTES,
    BadHeader,
    NotText,
    Prepared,
    odd_rows,
    prepare,
)
from indigo_integrity.application.ports import TableFiles


@dataclass
class Loaded:
    """A table in the engine: ``relation`` has ``_file``, ``_row`` and one text column ``c<n>`` per field.

    ``columns`` are the fields that every file has; ``files`` are the file keys ``_file`` counts.
    """

    spec: TableSpec
    relation: str
    columns: dict[str, str]
    files: list[str]
    rows: int = 0
    findings: list[Finding] = field(default_factory=list)


def load(
    connection: duckdb.DuckDBPyConnection, table: TableFiles, relation: str, workspace: Path, *, keep: int
) -> Loaded:
    """Read every file of the table. Findings carry Frictionless's codes and rows count from 1, the header."""
    spec = table.spec
    columns = {each.name: f"c{n}" for n, each in enumerate(spec.fields)}
    result = Loaded(spec, relation, dict(columns), [key for key, _ in table.files])
    shape = ", ".join(f"{name} VARCHAR" for name in columns.values())
    connection.execute(f"CREATE TABLE {relation} (_file INTEGER, _row BIGINT, _extra VARCHAR, {shape})")
    if not table.files:
        result.columns.clear()
        result.findings.append(
            _finding("file-not-found", f"no file of the record is {spec.path}", spec, None, expected=spec.path)
        )
    for number, (key, path) in enumerate(table.files):
        scratch = workspace / f"{relation}-{number}.csv"
        try:
            prepared = prepare(path, scratch, encoding=spec.encoding, delimiter=spec.delimiter)
        except NotText as error:
            result.findings.append(_finding("encoding-error", error.reason, spec, key, offset=error.offset))
            result.columns.clear()
            continue
        except BadHeader as error:
            result.findings.append(_finding("source-error", str(error), spec, key))
            result.columns.clear()
            continue
        _header(prepared, result, key)
        _rows(connection, prepared, result, number, key, keep)
        scratch.unlink()  # disk for one copy at a time
    counted = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()  # noqa: S608 - a name of ours
    assert counted is not None
    result.rows = int(counted[0])
    _dimensions(result)
    return result


def _header(prepared: Prepared, result: Loaded, key: str) -> None:
    spec = result.spec
    header = prepared.header
    wanted = [each.name for each in spec.fields]
    if len(header) == 1 and len(wanted) > 1:
        other = next((d for d in ",;\t|" if d != spec.delimiter and d in header[0]), None)
        if other:
            message = f"the columns are not separated by {spec.delimiter!r} but, it seems, by {other!r}"
            result.findings.append(
                _finding("dialect-error", message, spec, key, expected=spec.delimiter, observed=other)
            )
    seen: set[str] = set()
    for position, label in enumerate(header, start=1):
        if label in seen:
            result.findings.append(
                _finding("duplicate-label", "this column is there twice", spec, key, column=label)
            )
        elif not label:
            result.findings.append(
                _finding("blank-label", "a column has no name", spec, key, column=f"column {position}")
            )
        elif label not in wanted and not spec.extra_columns:
            result.findings.append(
                _finding("extra-label", "the plan does not name this column", spec, key, column=label)
            )
        seen.add(label)
    for name in wanted:
        if name not in seen:
            result.findings.append(_finding("missing-label", "this column is missing", spec, key, column=name))
            result.columns.pop(name, None)
    if not spec.extra_columns and sorted(header) == sorted(wanted):
        for name, label in zip(wanted, header, strict=True):
            if name != label:
                message = "the columns are in another order than in the plan"
                result.findings.append(
                    _finding("incorrect-label", message, spec, key, column=label, expected=name, observed=label)
                )


def _rows(
    connection: duckdb.DuckDBPyConnection, prepared: Prepared, result: Loaded, number: int, key: str, keep: int
) -> None:
    spec = result.spec
    width = len(prepared.header)
    names = {f"h{n}": "VARCHAR" for n in range(width)} | {"overflow": "VARCHAR"}
    nothing = f"\x01{secrets.token_hex(16)}"  # no value is NULL but a cell that is not there
    wanted = [each.name for each in spec.fields]
    picked = [f"h{prepared.header.index(name)}" if name in prepared.header else "NULL" for name in wanted]
    # one reader: quoted line breaks and rows that are too short cannot both be read in parts
    connection.execute(
        f"INSERT INTO {result.relation} SELECT {number}, row_number() OVER () + 1,"  # noqa: S608 - names of ours
        f" overflow, {', '.join(picked)}"
        f" FROM read_csv({text(str(prepared.path))}, auto_detect=false, header=true, columns={names},"
        f" delim={text(spec.delimiter)}, quote='\"', escape='\"', nullstr={text(nothing)}, null_padding=true,"
        f" parallel=false, max_line_size={MAX_LINE_BYTES}, store_rejects=true,"
        f" rejects_table='rejected', rejects_scan='scans')"
    )
    refused = connection.execute(
        "SELECT line, min(CAST(error_type AS VARCHAR)) FROM rejected GROUP BY line ORDER BY line"
    ).fetchall()
    connection.execute("DROP TABLE rejected")
    connection.execute("DROP TABLE scans")
    broken = [(line, kind) for line, kind in refused if kind != "TOO MANY COLUMNS"]
    for line, kind in broken[:keep]:
        message = f"the row cannot be read: {kind.lower()}"
        result.findings.append(_finding("source-error", message, spec, key, line=line))
    _rest(result, "source-error", key, len(broken) - keep)
    if refused or prepared.blank_lines:
        _renumber(connection, prepared, result, number, key, keep, {line for line, _ in broken})


def _renumber(
    connection: duckdb.DuckDBPyConnection,
    prepared: Prepared,
    result: Loaded,
    number: int,
    key: str,
    keep: int,
    broken: set[int],
) -> None:
    """Tell the rows the engine skipped, and give the rows after them their true numbers.

    ``broken`` are lines with bad quoting; they count as the record of the same number, which is exact as long
    as no value before them holds a line break.
    """
    try:
        odd = odd_rows(prepared, result.spec.delimiter, len(prepared.header) + 1)
    except csv.Error:
        return  # the broken quoting is told already; where records begin after it is anyone's guess
    blank = [each.row for each in odd if not each.cells]
    wide = [each for each in odd if each.cells]
    for row in blank[:keep]:
        result.findings.append(_finding("blank-row", "the row is empty", result.spec, key, row=row))
    _rest(result, "blank-row", key, len(blank) - keep)
    for each in wide[:keep]:
        message = f"the row has {each.cells} cells, the header {len(prepared.header)}"
        result.findings.append(_finding("extra-cell", message, result.spec, key, row=each.row))
    _rest(result, "extra-cell", key, len(wide) - keep)
    skipped = sorted({*blank, *(each.row for each in wide), *broken})
    if not skipped:
        return
    # the k-th skipped record (k from 0) shifts every row that was counted as its number minus k, or later
    shifts = [row - k for k, row in enumerate(skipped)]
    connection.execute("CREATE TEMP TABLE shifts AS SELECT unnest($1::BIGINT[]) AS since", [shifts])
    connection.execute(
        "CREATE TEMP TABLE steps AS SELECT since, max(rank) AS moved FROM"
        " (SELECT since, row_number() OVER (ORDER BY since) AS rank FROM shifts) GROUP BY since"
    )
    here = result.relation
    connection.execute(
        f"UPDATE {here} SET _row = new._row + new.moved FROM"  # noqa: S608 - names of ours
        f" (SELECT old._row, steps.moved FROM {here} old ASOF JOIN steps ON old._row >= steps.since"
        f"  WHERE old._file = {number}) new WHERE {here}._file = {number} AND {here}._row = new._row"
    )
    connection.execute("DROP TABLE steps")
    connection.execute("DROP TABLE shifts")


def _dimensions(result: Loaded) -> None:
    spec = result.spec
    if spec.min_rows is not None and result.rows < spec.min_rows:
        message = f"{result.rows} rows; at least {spec.min_rows} are promised"
        result.findings.append(
            _finding("table-dimensions", message, spec, None, expected=spec.min_rows, observed=result.rows)
        )
    if spec.max_rows is not None and result.rows > spec.max_rows:
        message = f"{result.rows} rows; at most {spec.max_rows} are promised"
        result.findings.append(
            _finding("table-dimensions", message, spec, None, expected=spec.max_rows, observed=result.rows)
        )


def _rest(result: Loaded, code: str, key: str, left: int) -> None:
    if left > 0:
        result.findings.append(_finding(code, f"and {left} more", result.spec, key, count=left))


def _finding(
    code: str,
    message: str,
    spec: TableSpec,
    key: str | None,
    *,
    expected: object = None,
    observed: object = None,
    count: int = 1,
    **where: str | int,
) -> Finding:
    location: dict[str, str | int] = {"table": spec.name}
    if key is not None:
        location["file"] = key
    return Finding(
        code=code,
        severity="error",
        message=message,
        location=location | where,
        expected=expected,
        observed=observed,
        count=count,
    )
