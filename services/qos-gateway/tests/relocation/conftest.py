"""A gateway over two POSIX back-ends of which each may take over objects of the other one's part of the tree."""

import pytest

MOUNTS = """
[[mount]]
prefix = "/far"
name = "far"
type = "posix"
country = "PT"
disk = "{far}/disk"
tape = "{far}/tape"
"""

RULES = """
[storage.posix]
takers = ["far"]
[storage.posix.classes.DiskOnly]
price = 20
[storage.far]
takers = ["posix"]
[storage.far.classes.DiskOnly]
price = 10
[storage.far.classes.TapeOnly]
price = 1
"""


@pytest.fixture
def two(tmp_path):
    """Settings of that gateway."""
    (tmp_path / "mounts.toml").write_text(MOUNTS.format(far=tmp_path / "far"))
    (tmp_path / "rules.toml").write_text(RULES)
    return {"mounts_file": tmp_path / "mounts.toml", "rules_file": tmp_path / "rules.toml"}


@pytest.fixture
def kept(tmp_path):
    """The files that are really there, by back-end: all but what the back-end keeps for itself."""

    def find():
        found = {}
        for name, disk in (("posix", tmp_path / "disk"), ("far", tmp_path / "far/disk")):
            files = [each for each in disk.rglob("*") if each.is_file() and ".indigo" not in each.parts]
            found[name] = {str(each.relative_to(disk)): each.read_bytes() for each in files}
        return found

    return find
