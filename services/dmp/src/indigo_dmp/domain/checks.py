"""What must hold between the parts of a plan before others may rely on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from indigo_contracts.dmp import ExpectedOutput, OutputExtension, OutputKind, ProcessingTest
from indigo_contracts.problems import FieldError
from indigo_contracts.structure import Structure, TableSpec

from indigo_dmp.domain.outputs import Document, kind_of, promised_datasets


def publication_errors(document: Document, now: datetime) -> list[FieldError]:
    """Everything that keeps ``document`` from being published; pointers go into the document (RFC 6901)."""
    return [*_plan_errors(document["dmp"], now), *_output_errors(document)]


def _error(pointer: str, detail: str, code: str) -> FieldError:
    return FieldError(pointer=pointer, detail=detail, code=code)


def _plan_errors(dmp: dict[str, Any], now: datetime) -> Iterator[FieldError]:
    if not dmp["title"].strip():
        yield _error("/dmp/title", "A published plan needs a title", "blank")
    if not dmp["contact"]["name"].strip():
        yield _error("/dmp/contact/name", "A published plan needs a contact", "blank")
    if datetime.fromisoformat(dmp["created"].upper()) > now:
        yield _error("/dmp/created", "A plan cannot have been created in the future", "date_order")
    for index, project in enumerate(dmp.get("project", ())):
        if "start" in project and "end" in project and project["end"] < project["start"]:
            yield _error(f"/dmp/project/{index}/end", "The project ends before it starts", "date_order")


def _output_errors(document: Document) -> Iterator[FieldError]:
    kinds = {
        dataset["indigo"]["key"]: kind_of(dataset)
        for _, dataset in promised_datasets(document)
        if "key" in (dataset.get("indigo") or {})
    }
    for index, dataset in promised_datasets(document):
        pointer = f"/dmp/dataset/{index}"
        yield from _dataset_errors(dataset, pointer)
        extension = OutputExtension.model_validate(dataset.get("indigo") or {})
        if extension.structure:
            yield from _structure_errors(extension.structure, f"{pointer}/indigo/structure")
        for number, test in enumerate(extension.tests):
            if isinstance(test, ProcessingTest):
                yield from _processing_errors(test, f"{pointer}/indigo/tests/{number}", kinds)


def _dataset_errors(dataset: dict[str, Any], pointer: str) -> Iterator[FieldError]:
    if not dataset["title"].strip():
        yield _error(f"{pointer}/title", "A promised output needs a title", "blank")
    issued = dataset.get("issued")
    for number, distribution in enumerate(dataset.get("distribution", ())):
        until = distribution.get("available_until")
        at = f"{pointer}/distribution/{number}"
        if issued and until and until < issued:  # ISO 8601 days sort as text
            yield _error(f"{at}/available_until", "It would end before the output is issued", "date_order")
        if distribution.get("byte_size", 0) < 0:
            yield _error(f"{at}/byte_size", "A size is not negative", "negative")


def _structure_errors(structure: Structure, pointer: str) -> Iterator[FieldError]:
    tables = {table.name: table for table in structure.tables}
    for number, table in enumerate(structure.tables):
        at = f"{pointer}/tables/{number}"
        yield from _table_errors(table, at)
        for position, key in enumerate(table.foreign_keys):
            target = tables.get(key.table)
            where = f"{at}/foreign_keys/{position}"
            if target is None:
                yield _error(f"{where}/table", f"There is no table {key.table!r}", "unknown_table")
                continue
            if unknown := set(key.reference) - {field.name for field in target.fields}:
                detail = f"Table {key.table!r} has no field {sorted(unknown)[0]!r}"
                yield _error(f"{where}/reference", detail, "unknown_field")
            if len(key.reference) != len(key.fields):
                yield _error(f"{where}/reference", "It needs as many fields as the key has", "key_length")


def _table_errors(table: TableSpec, pointer: str) -> Iterator[FieldError]:
    if table.min_rows is not None and table.max_rows is not None and table.max_rows < table.min_rows:
        yield _error(f"{pointer}/max_rows", "It is below min_rows", "range")
    for number, field in enumerate(table.fields):
        at = f"{pointer}/fields/{number}"
        low, high = field.minimum, field.maximum
        if isinstance(low, float | int) and isinstance(high, float | int) and high < low:
            yield _error(f"{at}/maximum", "It is below the minimum", "range")
        if field.min_length is not None and field.max_length is not None and field.max_length < field.min_length:
            yield _error(f"{at}/max_length", "It is below min_length", "range")


def _processing_errors(test: ProcessingTest, pointer: str, kinds: dict[str, OutputKind]) -> Iterator[FieldError]:
    if test.software not in kinds:
        detail = f"The plan promises no output {test.software!r}"
        yield _error(f"{pointer}/software", detail, "unknown_output")
    elif kinds[test.software] is not OutputKind.SOFTWARE:
        yield _error(f"{pointer}/software", f"Output {test.software!r} is not software", "not_software")
    seen: set[str] = set()
    for number, output in enumerate(test.outputs):
        at = f"{pointer}/outputs/{number}"
        if output.path in seen:
            yield _error(f"{at}/path", "Another expected output has this path", "repeated_path")
        seen.add(output.path)
        yield from _expectation_errors(output, at)


def _expectation_errors(output: ExpectedOutput, pointer: str) -> Iterator[FieldError]:
    if output.compare != "digest" and output.sha256:
        yield _error(f"{pointer}/sha256", "Only a digest comparison has a checksum", "unused")
    if output.sha256 and output.reference:
        yield _error(f"{pointer}/reference", "The expectation is the checksum or the file, not both", "ambiguous")
    if output.compare == "exists" and output.reference:
        yield _error(f"{pointer}/reference", "Existence is not compared with a file", "unused")
    if output.key and output.compare != "csv":
        yield _error(f"{pointer}/key", "Only rows of a table have a key", "unused")
