from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_integrity.domain.compare_csv import Unreadable, compare_csv
from indigo_integrity.domain.compare_json import compare_json
from indigo_integrity.domain.comparison import Comparison, Grade, Tolerance


@pytest.fixture
def pair(tmp_path: Path):
    def write(expected: str, observed: str) -> tuple[Path, Path]:
        (tmp_path / "expected").write_text(expected)
        (tmp_path / "observed").write_text(observed)
        return tmp_path / "expected", tmp_path / "observed"

    return write


def csv_of(pair, expected, observed, *, key=(), ignore=(), rtol=0.0, atol=0.0) -> Comparison:
    return compare_csv(*pair(expected, observed), key=key, ignore=ignore, tolerance=Tolerance(rtol, atol))


def json_of(pair, expected, observed, *, ignore=(), rtol=0.0, atol=0.0) -> Comparison:
    return compare_json(*pair(expected, observed), ignore=ignore, tolerance=Tolerance(rtol, atol))


def test_csv_rows_by_key(pair) -> None:
    result = csv_of(pair, "k,v\na,1\nb,2\n", "k,v\nb,2\na,1\n", key=["k"])
    assert (result.grade, result.different) == (Grade.IDENTICAL_AFTER_NORMALIZATION, 0)
    assert "row-order" in result.normalizations
    assert csv_of(pair, "k,v\na,1\nb,2\n", "k,v\nb,2\na,1\n").grade is Grade.DIFFERENT


def test_csv_missing_extra_and_doubled_keys(pair) -> None:
    result = csv_of(pair, "k,v\na,1\nb,2\n", "k,v\nb,2\nc,3\nc,4\n", key=["k"])
    assert sorted(each.message for each in result.differences) == [
        "a row that is not in the reference",
        "no row with this key",
        "two rows have this key",
    ]


@pytest.mark.parametrize(
    ("expected", "observed", "rtol", "atol", "grade"),
    [
        ("1.0", "1", 0, 0, Grade.IDENTICAL_AFTER_NORMALIZATION),
        ("1e3", "1000", 0, 0, Grade.IDENTICAL_AFTER_NORMALIZATION),
        ("NaN", "nan", 0, 0, Grade.IDENTICAL_AFTER_NORMALIZATION),
        ("100", "101", 0.01, 0, Grade.WITHIN_TOLERANCE),
        ("100", "101.1", 0.01, 0, Grade.DIFFERENT),
        ("0", "1e-9", 0.5, 0, Grade.DIFFERENT),
        ("0", "1e-9", 0, 1e-8, Grade.WITHIN_TOLERANCE),
        ("inf", "1e300", 1, 1, Grade.DIFFERENT),
        ("1", "one", 1, 1, Grade.DIFFERENT),
        ("NaN", "1", 1, 1, Grade.DIFFERENT),
    ],
)
def test_csv_numbers(pair, expected, observed, rtol, atol, grade) -> None:
    result = csv_of(pair, f"v\n{expected}\n", f"v\n{observed}\n", rtol=rtol, atol=atol)
    assert result.grade is grade


def test_csv_unknown_key_column(pair) -> None:
    with pytest.raises(Unreadable, match="no column 'x'"):
        csv_of(pair, "v\n1\n", "v\n2\n", key=["x"])


@pytest.mark.parametrize("observed", ["", "a,a\n1,2\n", "a,b\n1\n", 'a,b\n"1', "a,b\n\xff\xfe"])
def test_csv_that_is_none(pair, observed, tmp_path) -> None:
    paths = pair("a,b\n1,2\n", "")
    paths[1].write_bytes(observed.encode("latin-1"))
    with pytest.raises(Unreadable):
        compare_csv(*paths, key=[], ignore=[], tolerance=Tolerance())


def test_json_values(pair) -> None:
    result = json_of(
        pair, '{"a": [1, {"b/c": 2}], "t": 1, "x": true}', '{"x": 1, "t": 9, "a": [1.0, {"b/c": 3}]}', ignore=["t"]
    )
    assert [each.where["pointer"] for each in result.differences] == ["/a/1/b~1c", "/x"]


def test_json_shape(pair) -> None:
    result = json_of(pair, '{"a": [1, 2], "b": 1}', '{"a": [1], "c": 1}')
    assert [(each.where["pointer"], each.message) for each in result.differences] == [
        ("/a", "another length"),
        ("/b", "the member is missing"),
        ("/c", "an unexpected member"),
    ]


def test_json_huge_integers(pair) -> None:
    big = "1" + "0" * 400
    assert json_of(pair, big, big + "0").grade is Grade.DIFFERENT


@given(
    expected=st.floats(allow_nan=False, allow_infinity=False),
    rtol=st.floats(0, 1),
    atol=st.floats(0, 1e6),
)
def test_tolerance_allows_the_expected_value(expected, rtol, atol) -> None:
    assert Tolerance(rtol, atol).allows(expected, expected)


def test_told_differences_are_bounded(pair) -> None:
    rows = "\n".join(str(n) for n in range(1000))
    other = "\n".join(str(n + 1) for n in range(1000))
    result = csv_of(pair, f"v\n{rows}\n", f"v\n{other}\n")
    assert (result.checked, result.different, len(result.differences)) == (1000, 1000, 20)
