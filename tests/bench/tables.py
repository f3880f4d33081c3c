"""Times the table validator: 1,000,000 rows, 10 columns, planted errors. Run it as a script."""

from __future__ import annotations

import asyncio
import random
import resource
import tempfile
import time
from pathlib import Path

from indigo_contracts.structure import TableSpec
from indigo_integrity.adapters.tabular.validate import Budget, DuckdbValidator
from indigo_integrity.application.ports import TableFiles

ROWS = 1_000_000
SPEC = TableSpec.model_validate(
    {
        "name": "occurrences",
        "path": "occurrences.csv",
        "primary_key": ["id"],
        "fields": [
            {"name": "id", "type": "integer", "required": True, "unique": True},
            {"name": "name", "required": True, "max_length": 40},
            {"name": "lat", "type": "number", "minimum": -90, "maximum": 90},
            {"name": "lon", "type": "number", "minimum": -180, "maximum": 180},
            {"name": "day", "type": "date", "minimum": "1900-01-01"},
            {"name": "count", "type": "integer", "minimum": 0},
            {"name": "basis", "codes": [{"code": "HumanObservation"}, {"code": "PreservedSpecimen"}]},
            {"name": "site", "pattern": "[A-Z]{2}[0-9]{4}"},
            {"name": "alien", "type": "boolean"},
            {"name": "year", "type": "year"},
        ],
    }
)


def write(path: Path) -> int:
    random.seed(7)
    with path.open("w") as out:
        out.write(",".join(field.name for field in SPEC.fields) + "\n")
        for n in range(ROWS):
            bad = n % 100_000 == 5
            out.write(
                f"{n - 1 if bad else n},Quercus species number {n % 5000},{120.5 if bad else random.uniform(-90, 90):.6f},"
                f"{random.uniform(-180, 180):.6f},2024-{n % 12 + 1:02d}-{n % 28 + 1:02d},{-1 if bad else n % 90},"
                f"{'Guess' if bad else 'HumanObservation'},IT{n % 10_000:04d},{'true' if n % 2 else 'false'},{1990 + n % 30}\n"
            )
    return path.stat().st_size


def run() -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="indigo-bench-") as directory:
        path = Path(directory, "occurrences.csv")
        size = write(path)
        began = time.perf_counter()
        with path.open("rb") as file:
            while file.read(1024 * 1024):
                pass
        reading = time.perf_counter() - began
        validator = DuckdbValidator(Budget(memory_mb=1024, threads=2, seconds=600, findings=100, scratch_mb=4096))
        began = time.perf_counter()
        report = asyncio.run(
            validator.validate([TableFiles(SPEC, [(SPEC.path, path)])], [SPEC.name], Path(directory))
        )
        wall = time.perf_counter() - began
    errors = sum(finding.count for finding in report.findings)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return [
        (
            f"content test of {ROWS:,} rows x {len(SPEC.fields)} columns, {size / 1e6:.0f} MB (read alone: {reading:.2f} s)",
            f"{wall:.1f} s, {errors} planted errors found, peak {peak} MiB",
        )
    ]


if __name__ == "__main__":
    for name, figure in run():
        print(f"{name:<90} {figure}")
