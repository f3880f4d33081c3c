"""The OCFL store: what it writes is valid, survives kills, and a disk that loses bytes is caught."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from indigo_repository.adapters.storage.ocfl import OcflStore
from indigo_repository.adapters.storage.ocfl_layout import object_path
from indigo_repository.adapters.storage.ocfl_validate import validate_object
from indigo_repository.adapters.storage.staging import LocalStaging
from indigo_repository.application.ports import NewFile, NewVersion
from indigo_repository.domain.errors import StorageFault

OBJECT = "urn:uuid:0199aaaa-0000-7000-8000-000000000002"


@pytest.fixture
def staging(tmp_path):
    return LocalStaging(tmp_path / "staging")


@pytest.fixture
def store(tmp_path):
    return OcflStore(tmp_path / "root", tmp_path / "work")


def stage(staging, key, content):
    upload = staging.receive()
    upload.write(content)
    return NewFile(key, staging.path(upload.blob), upload.finish())


def version(number, files):
    return NewVersion(
        OBJECT, number, files, b'{"record": %d}' % number, "publish", "tester", "mailto:t@example.org",
        datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_layout_0004_puts_the_example_where_the_extension_says():
    # The example of the extension's own text.
    assert object_path("object-01").startswith(
        "3c0/ff4/240/3c0ff4240c1e116dba14c7627f2319b58aa3d77606d0d90dfc6161608ac987d4"
    )


def test_two_versions_make_a_valid_object_that_keeps_equal_bytes_once(store, staging, tmp_path):
    store.write(version(1, [stage(staging, "a.txt", b"same"), stage(staging, "dir/ü.csv", b"1")]))
    paths = store.write(version(2, [stage(staging, "renamed.txt", b"same"), stage(staging, "dir/ü.csv", b"2")]))
    home = tmp_path / "root" / object_path(OBJECT)
    assert validate_object(home).found == []
    assert paths == {"renamed.txt": "v1/content/data/a.txt", "dir/ü.csv": "v2/content/data/dir/ü.csv"}
    assert store.path(OBJECT, paths["dir/ü.csv"]).read_bytes() == b"2"
    assert json.loads((home / "v2/content/metadata/record.json").read_bytes()) == {"record": 2}
    inventory = json.loads((home / "inventory.json").read_bytes())
    assert set(inventory["fixity"]) == {"sha256", "md5"}


def test_writing_a_version_again_changes_nothing(store, staging, tmp_path):
    one = version(1, [stage(staging, "a.txt", b"a")])
    first = store.write(one)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "root").rglob("*") if path.is_file()}
    assert store.write(replace(one, metadata=b'{"record": "later"}')) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "root").rglob("*") if path.is_file()} == before


def test_another_version_of_the_same_number_is_refused(store, staging):
    store.write(version(1, [stage(staging, "a.txt", b"a")]))
    with pytest.raises(StorageFault):
        store.write(version(1, [stage(staging, "a.txt", b"b")]))
    with pytest.raises(StorageFault):
        store.write(version(3, [stage(staging, "a.txt", b"b")]))


def test_bytes_that_changed_on_the_disk_are_caught_before_anything_is_placed(store, staging, tmp_path):
    file = stage(staging, "a.txt", b"what was sent")
    file.source.write_bytes(b"what the disk kept")
    with pytest.raises(StorageFault, match="other bytes"):
        store.write(version(1, [file]))
    assert not (tmp_path / "root" / object_path(OBJECT)).exists()
    assert list((tmp_path / "work" / "building").iterdir()) == []
    store.write(version(1, [stage(staging, "a.txt", b"what was sent")]))


def test_a_damaged_inventory_is_not_built_upon(store, staging, tmp_path):
    store.write(version(1, [stage(staging, "a.txt", b"a")]))
    home = tmp_path / "root" / object_path(OBJECT)
    for path in (home / "inventory.json", home / "v1" / "inventory.json"):
        path.write_bytes(path.read_bytes().replace(b"publish", b"changed"))
    with pytest.raises(StorageFault):
        store.write(version(2, [stage(staging, "a.txt", b"b")]))


def test_a_root_of_something_else_is_refused(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "letters.txt").write_text("mine")
    with pytest.raises(ValueError, match="not an OCFL"):
        OcflStore(tmp_path / "root", tmp_path / "work").prepare()


def test_a_kill_at_every_file_operation_leaves_no_half_version(tmp_path):
    program = Path(__file__).with_name("ocfl_killer.py")
    done = subprocess.run(
        [sys.executable, program, tmp_path / "store"], capture_output=True, text=True, check=True, timeout=300
    )
    result = json.loads(done.stdout)
    assert result["failures"] == []
    assert min(result["points"]) > 20  # the enumeration did reach the writing
