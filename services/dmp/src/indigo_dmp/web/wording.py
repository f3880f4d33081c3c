"""What a plan asks of columns and of tests, said in words."""

from __future__ import annotations

from collections.abc import Sequence

from indigo_contracts.dmp import (
    ContentTest,
    ExistenceTest,
    ExpectedOutput,
    MetadataTest,
    ProcessingTest,
    TestDefinition,
)
from indigo_contracts.structure import FieldSpec

_COMPARED = {
    "digest": "byte for byte",
    "csv": "as a table",
    "json": "as JSON values",
    "exists": "as to whether it is there",
}


def rules_of(field: FieldSpec) -> list[str]:
    """The constraints of a column (Table Schema), but for its codes."""
    rules = [word for word, holds in (("required", field.required), ("unique", field.unique)) if holds]
    if bounds := _between(_number(field.minimum), _number(field.maximum)):
        rules.append(bounds)
    if length := _between(_number(field.min_length), _number(field.max_length)):
        rules.append(f"{length} characters")
    if field.pattern:
        rules.append(f"matches {field.pattern}")
    if field.format:
        rules.append(f"written as {field.format}")
    return rules


def sentence_of(test: TestDefinition) -> str:
    """What has to hold for ``test`` to pass."""
    match test:
        case ExistenceTest():
            return _existence(test)
        case MetadataTest(properties=[]):
            return "Nothing of the record is compared with the plan."
        case MetadataTest():
            return f"The record says what the plan says about {_listed(test.properties)}."
        case ContentTest(tables=[]):
            return "Every table has the structure above."
        case ContentTest():
            return f"{_listed(test.tables)} {_has(test.tables)} the structure above."
        case ProcessingTest():
            return _processing(test)


def _existence(test: ExistenceTest) -> str:
    least = f", {test.min_bytes} bytes at least" if test.min_bytes is not None else ""
    named = f" {_listed(test.files)} {'is' if len(test.files) == 1 else 'are'} among them." if test.files else ""
    return f"Every file of the record is there{least}, and reads back with the checksum it came with.{named}"


def _processing(test: ProcessingTest) -> str:
    outputs = "; ".join(_reproduced(output) for output in test.outputs)
    limits = test.limits
    return (
        f"The software {test.software}, run on the data without a network, produces {outputs}. "
        f"It may take {limits.wall_seconds} s and {limits.memory_mb} MB of memory."
    )


def _reproduced(output: ExpectedOutput) -> str:
    wanted = f" like {output.reference}" if output.reference else ""
    closeness = [f"{name} {value:g}" for name, value in (("rtol", output.rtol), ("atol", output.atol)) if value]
    within = f", numbers within {' and '.join(closeness)}" if closeness else ""
    return f"{output.path}{wanted}, compared {_COMPARED[output.compare]}{within}"


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _listed(names: Sequence[str]) -> str:
    """``a, b and c``; there is at least one."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _between(low: str | None, high: str | None) -> str | None:
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"{low} or more"
    return f"{high} or less" if high is not None else None


def _number(value: float | str | None) -> str | None:
    """A bound as one writes it: ``25``, not ``25.0``."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return None if value is None else str(value)
