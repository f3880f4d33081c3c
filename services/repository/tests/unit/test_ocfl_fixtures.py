"""The validator against the official OCFL fixtures."""

import re
from pathlib import Path

import pytest
from indigo_repository.adapters.storage.ocfl_validate import validate_object


def codes_in(name: str) -> set[str]:
    return set(re.findall(r"[EW]\d{3}", name))


def fixtures(vectors: Path, kind: str) -> list[Path]:
    found = sorted((vectors / "ocfl" / "1.0" / kind).iterdir())
    assert found
    return found


def test_good_objects_have_no_issue(vectors):
    for path in fixtures(vectors, "good-objects"):
        assert validate_object(path).found == [], path.name


def test_warn_objects_are_valid_and_warned_about(vectors):
    for path in fixtures(vectors, "warn-objects"):
        issues = validate_object(path)
        assert issues.valid, (path.name, issues.errors)
        assert {issue.code for issue in issues.warnings} == codes_in(path.name), path.name


def test_bad_objects_have_every_error_in_their_name(vectors):
    for path in fixtures(vectors, "bad-objects"):
        issues = validate_object(path)
        assert codes_in(path.name) <= {issue.code for issue in issues.errors}, (path.name, issues.errors)


@pytest.mark.parametrize("name", ["minimal_one_version_one_file", "spec-ex-full"])
def test_without_digests_the_bytes_are_not_read(vectors, tmp_path, name):
    source = vectors / "ocfl" / "1.0" / "good-objects" / name
    for path in source.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes() if "content" not in path.parts else b"other bytes")
    assert validate_object(tmp_path, digests=False).valid
    assert {issue.code for issue in validate_object(tmp_path).errors} >= {"E092"}
