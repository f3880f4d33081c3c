"""Tables against their plan, by the real engine; Frictionless is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from frictionless import Checklist, Detector, Dialect, Resource, Schema
from frictionless.formats import CsvControl
from indigo_contracts.structure import TableSpec
from indigo_integrity.adapters.tabular.validate import Budget, DuckdbValidator
from indigo_integrity.application.ports import TableFiles, TableReport

BUDGET = Budget(memory_mb=512, threads=1, seconds=60, findings=50, scratch_mb=256)


@pytest.fixture
def validate(tmp_path: Path):
    """``await validate({"fields": [...]}, "a,b\\n1,2\\n")``; several tables as pairs."""

    async def run(spec: dict[str, Any], content: str | bytes, *more: Any, budget: Budget = BUDGET) -> TableReport:
        tables = []
        for number, (fields, text) in enumerate([(spec, content), *more]):
            path = tmp_path / f"in{number}"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            table = TableSpec.model_validate({"name": f"t{number}", "path": f"t{number}.csv"} | fields)
            tables.append(TableFiles(table, [(table.path, path)]))
        workspace = tmp_path / "work"
        workspace.mkdir(exist_ok=True)
        return await DuckdbValidator(budget).validate(tables, ["t0"], workspace)

    return run


def field(name: str, **rest: Any) -> dict[str, Any]:
    return {"name": name} | rest


def seen(report: TableReport) -> list[tuple[str, Any, Any]]:
    return [
        (each.code, each.location.get("row", each.location.get("line")), each.location.get("column"))
        for each in report.findings
    ]


TYPES = [
    ("integer", ["1", "-7", "+3", "007"], ["1.0", "x", "1e3", " 1", "1 000", "٣"]),
    ("number", ["1", "-.5", "1.", "1e-3", "NaN", "INF", "-INF"], ["1,5", "x", "1e", "0x10", "nan", "--1"]),
    ("boolean", ["true", "False", "1", "0"], ["yes", "tRUE", "2"]),
    ("date", ["2024-02-29", "0001-01-01"], ["2023-02-29", "2024-2-9", "29/02/2024", "2024-01-01T00:00:00"]),
    ("time", ["10:00:00", "23:59:59.5"], ["24:00:01", "10:00", "1:2:3"]),
    ("datetime", ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00+02:00"], ["2024-13-01T10:00:00", "yesterday"]),
    ("year", ["1999", "-0044"], ["99", "19999", "x"]),
]


@pytest.mark.parametrize(("kind", "good", "bad"), TYPES, ids=[each[0] for each in TYPES])
async def test_types(validate, kind, good, bad) -> None:
    rows = [f'"{value}"' for value in [*good, *bad, ""]]
    report = await validate({"fields": [field("v", type=kind)]}, "\n".join(["v", *rows]) + "\n")
    wrong = [(each.code, each.location["row"], each.observed) for each in report.findings]
    assert wrong == [("type-error", 2 + len(good) + n, value) for n, value in enumerate(bad)]


@pytest.mark.parametrize(
    ("rules", "values", "bad"),
    [
        ({"required": True}, ["x", "", " "], [""]),
        ({"type": "integer", "minimum": 2, "maximum": 4}, ["1", "2", "4", "5", "x"], ["1", "5"]),
        ({"type": "number", "minimum": -0.5}, ["-0.6", "-0.5", "NaN", "-INF"], ["-0.6", "-INF"]),
        ({"type": "date", "minimum": "2024-01-01"}, ["2023-12-31", "2024-01-01"], ["2023-12-31"]),
        (
            {"type": "date", "format": "%d/%m/%Y", "maximum": "01/02/2024"},
            ["01/02/2024", "02/02/2024"],
            ["02/02/2024"],
        ),
        ({"type": "year", "minimum": 2000}, ["1999", "2000"], ["1999"]),
        ({"min_length": 2, "max_length": 3}, ["é", "éé", "ééé", "éééé", ""], ["é", "éééé"]),
        ({"pattern": "[A-Z]{2}[0-9]+"}, ["IT1", "IT1x", "it1", ""], ["IT1x", "it1"]),
        ({"codes": [{"code": "a"}, {"code": "it's"}]}, ["a", "it's", "b", ""], ["b"]),
    ],
)
async def test_constraints(validate, rules, values, bad) -> None:
    rows = [f'"{value}"' for value in values]
    report = await validate({"fields": [field("v", **rules)]}, "\n".join(["v", *rows]) + "\n")
    wrong = [each.observed for each in report.findings if each.code == "constraint-error"]
    assert wrong == bad


async def test_rows_have_their_true_numbers(validate) -> None:
    content = 'n,s\n1,"a\nb"\n\n2\n3,x,y\n4,x,y,z\n\nbad,x\n5,"a ""quoted"" one"\nworse,x\n'
    report = await validate({"fields": [field("n", type="integer"), field("s")]}, content)
    assert sorted(seen(report), key=lambda each: each[1]) == [
        ("blank-row", 3, None),
        ("missing-cell", 4, "s"),
        ("extra-cell", 5, None),
        ("extra-cell", 6, None),
        ("blank-row", 7, None),
        ("type-error", 8, "n"),
        ("type-error", 10, "n"),
    ]


async def test_header(validate) -> None:
    fields = {"fields": [field("a"), field("b"), field("c")]}
    report = await validate(fields, "a,x,,a\n1,2,3,4\n")
    assert [(code, column) for code, _, column in seen(report)] == [
        ("extra-label", "x"),
        ("blank-label", "column 3"),
        ("duplicate-label", "a"),
        ("missing-label", "b"),
        ("missing-label", "c"),
    ]
    assert seen(await validate(fields | {"extra_columns": True}, "x,c,b,a\n1,2,3,4\n")) == []
    assert {code for code, _, _ in seen(await validate(fields, "b,a,c\n1,2,3\n"))} == {"incorrect-label"}


async def test_wrong_delimiter_is_named(validate) -> None:
    report = await validate({"fields": [field("a"), field("b")]}, "a;b\n1;2\n")
    assert (report.findings[0].code, report.findings[0].observed) == ("dialect-error", ";")
    assert seen(await validate({"fields": [field("a"), field("b")], "delimiter": ";"}, "a;b\n1;2\n")) == []


@pytest.mark.parametrize(
    ("encoding", "content", "code"),
    [
        ("utf-8", "a\né\n".encode(), None),
        ("utf-8", b"\xef\xbb\xbfa\n1\n", None),
        ("utf-8", "a\né\n".encode("latin-1"), "encoding-error"),
        ("utf-8", b"a\n1\0\n", "encoding-error"),
        ("latin-1", "a\né\n".encode("latin-1"), None),
        ("utf-16", "a\né\n".encode("utf-16"), None),
        ("utf-16", b"\xff\xfea", "encoding-error"),
        ("utf-8", b"", "source-error"),
        ("utf-8", b'"a', "source-error"),
    ],
)
async def test_encodings(validate, encoding, content, code) -> None:
    report = await validate({"fields": [field("a")], "encoding": encoding}, content)
    assert [each[0] for each in seen(report)] == ([code] if code else [])


async def test_bad_quoting_is_told_with_its_line(validate) -> None:
    report = await validate({"fields": [field("a"), field("b")]}, 'a,b\n1,"un"quoted"\n2,3\n')
    assert seen(report) == [("source-error", 2, None)]


async def test_missing_values(validate) -> None:
    spec = {"fields": [field("n", type="integer", required=True)], "missing_values": ["NA", "-"]}
    report = await validate(spec, "n\nNA\n-\n1\n")
    assert seen(report) == [("constraint-error", 2, "n"), ("constraint-error", 3, "n")]


async def test_unique_and_primary_keys(validate) -> None:
    spec = {
        "fields": [field("a", type="integer", unique=True), field("b")],
        "primary_key": ["a", "b"],
    }
    report = await validate(spec, 'a,b\n1,x\n01,x\n2,x\n"",y\n"",z\n')
    assert seen(report) == [
        ("unique-error", 3, "a"),
        ("primary-key", 5, "a, b"),
        ("primary-key", 6, "a, b"),
        ("primary-key", 3, "a, b"),
    ]


async def test_foreign_keys(validate) -> None:
    sites = ({"fields": [field("id", type="integer")]}, "id\n1\n2\n")
    spec = {
        "fields": [field("site", type="integer")],
        "foreign_keys": [{"fields": ["site"], "table": "t1", "reference": ["id"]}],
    }
    report = await validate(spec, 'site\n1\n02\n3\n""\n', sites)
    assert [(each.code, each.location["row"], each.observed) for each in report.findings] == [
        ("foreign-key", 4, "3")
    ]
    lost = spec | {"foreign_keys": [{"fields": ["site"], "table": "t9", "reference": ["id"]}]}
    assert [each[0] for each in seen(await validate(lost, "site\n1\n", sites))] == ["schema-error"]


@pytest.mark.parametrize(("limits", "found"), [({"min_rows": 3}, 1), ({"max_rows": 1}, 1), ({"min_rows": 2}, 0)])
async def test_number_of_rows(validate, limits, found) -> None:
    report = await validate({"fields": [field("a")]} | limits, "a\n1\n2\n")
    assert [each.code for each in report.findings] == ["table-dimensions"] * found


@pytest.mark.parametrize(
    "definition",
    [
        {"pattern": "("},
        {"type": "date", "format": "%Q"},
        {"type": "integer", "minimum": "many"},
        {"minimum": 3},
        {"type": "date", "maximum": "tomorrow"},
    ],
)
async def test_definitions_that_cannot_be_tested(validate, definition) -> None:
    report = await validate({"fields": [field("a", **definition)]}, "a\n1\n")
    assert [each.code for each in report.findings] == ["schema-error"]


async def test_told_rows_are_bounded_and_the_rest_is_counted(validate) -> None:
    report = await validate({"fields": [field("n", type="integer")]}, "n\n" + "x\n" * 1000)
    assert len(report.findings) == 51
    assert sum(each.count for each in report.findings) == 1000


HOSTILE = ["'; DROP TABLE t0; --", '"quoted"', "c0", "a b", "{x}", "t0._row", "é", "$1", "%s", "\\"]


async def test_hostile_names_and_values_are_only_text(validate) -> None:
    header = ",".join('"' + name.replace('"', '""') + '"' for name in HOSTILE)
    fields = [
        field(name, codes=[{"code": name}], pattern=".*", missing_values=[]) | {"required": True}
        for name in HOSTILE
    ]
    for each in fields:
        each.pop("missing_values")
    spec = {"fields": fields, "primary_key": HOSTILE, "missing_values": ["'", "')--"]}
    report = await validate(spec, f"{header}\n{header}\n")
    assert seen(report) == []
    assert report.rows == {"t0": 1}


async def test_engine_reads_the_table_and_nothing_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nhunter2\n")
    connection = DuckdbValidator(BUDGET)._connect([], tmp_path)
    for statement in (
        f"SELECT * FROM read_csv('{secret}')",
        f"COPY (SELECT 1) TO '{tmp_path}/out'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        f"ATTACH '{tmp_path}/x.db'",
    ):
        with pytest.raises(Exception, match=r"(?i)permission|disabled|locked|cannot"):
            connection.execute(statement)
    connection.close()


async def test_time_limit_is_no_error_of_the_table(validate) -> None:
    content = "n\n" + "\n".join(map(str, range(3_000_000))) + "\n"  # seconds of work, so that the limit is first
    budget = Budget(memory_mb=512, threads=1, seconds=0.02, findings=50, scratch_mb=256)
    report = await validate({"fields": [field("n", type="integer", unique=True)]}, content, budget=budget)
    assert not report.complete
    assert [each.code for each in report.findings] == ["time-limit"]


async def test_memory_limit_is_no_error_of_the_table(validate) -> None:
    content = "n\n" + "\n".join(f"{n}{'x' * 100}" for n in range(300_000)) + "\n"
    budget = Budget(memory_mb=16, threads=1, seconds=60, findings=50, scratch_mb=1)
    report = await validate({"fields": [field("n", unique=True)]}, content, budget=budget)
    assert not report.complete
    assert [each.code for each in report.findings] == ["memory-limit"]


FRICTIONLESS = [
    (
        {"fields": [field("a", type="integer"), field("b", type="number"), field("c", type="date")]},
        "a,b,c\n1,2.5,2024-01-01\nx,y,z\n3,,\n,1,2024-02-30\n",
    ),
    (
        {"fields": [field("a", type="integer", minimum=2, maximum=3), field("b", required=True)]},
        "a,b\n1,x\n2,\n3,y\n4,z\n",
    ),
    ({"fields": [field("a", unique=True), field("b")]}, "a,b\nx,1\ny,2\nx,3\nx,4\n"),
    ({"fields": [field("a"), field("b")], "primary_key": ["a", "b"]}, "a,b\nx,1\ny,2\nx,1\n"),
    ({"fields": [field("a", pattern="[a-c]+"), field("b", min_length=2, max_length=3)]}, "a,b\nabc,x\nabd,xxxx\n"),
    ({"fields": [field("a", codes=[{"code": "x"}]), field("b", type="boolean")]}, "a,b\nx,true\ny,maybe\n"),
    ({"fields": [field("a"), field("b")]}, "a,b\n1,2\n3\n4,5,6\n\n7,8\n"),
    ({"fields": [field("a"), field("b")]}, "a\n1\n"),
    ({"fields": [field("a")]}, "a,b\n1,2\n"),
    ({"fields": [field("a", type="year"), field("t", type="time")]}, "a,t\n1999,10:00:00\n99,25:00:00\n"),
]


@pytest.mark.parametrize(("spec", "content"), FRICTIONLESS)
@pytest.mark.filterwarnings("ignore")
async def test_frictionless_agrees(validate, tmp_path: Path, spec, content) -> None:
    ours = await validate(spec, content)
    path = tmp_path / "oracle.csv"
    path.write_text(content)
    constraints = {
        "required": "required",
        "unique": "unique",
        "minimum": "minimum",
        "maximum": "maximum",
        "min_length": "minLength",
        "max_length": "maxLength",
        "pattern": "pattern",
    }
    fields = [
        {
            "name": each["name"],
            "type": each.get("type", "string"),
            "constraints": {theirs: each[mine] for mine, theirs in constraints.items() if mine in each}
            | ({"enum": [code["code"] for code in each["codes"]]} if "codes" in each else {}),
        }
        for each in spec["fields"]
    ]
    schema = Schema.from_descriptor({"fields": fields, "primaryKey": spec.get("primary_key", [])})
    resource = Resource(
        path=path.name,
        basepath=str(tmp_path),
        format="csv",
        encoding="utf-8",
        schema=schema,
        dialect=Dialect(controls=[CsvControl(delimiter=",")]),
        detector=Detector(schema_sync=False),
    )
    theirs = resource.validate(Checklist(), limit_errors=1000).flatten(["type", "rowNumber", "fieldName"])

    def told(rows: list[Any]) -> list[tuple[str, Any]]:
        return sorted({(code, row) for code, row, *_ in rows if row}, key=str)

    assert told(seen(ours)) == told(theirs)
    assert bool(ours.findings) is bool(theirs)
