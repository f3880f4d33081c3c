"""The lock files: complete, installable by plain pip, and in step with the pyproject files."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ["requirements.lock", "requirements-dev.lock"]
INSTALLER = "uv"
"""Locked like the rest, but set-up does without it where it cannot be had."""
TO_REPAIR = "run `make lock` and commit both lock files"


def pins(path):
    """Name to version and marker. A package may be pinned twice with different markers."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.removesuffix("\\").strip())
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def pinned_version(requirement):
    [specifier] = requirement.specifier
    return specifier.version


def is_ours(name):
    return canonicalize_name(name).startswith("indigo-")


def declared(root, *, groups):
    """Every requirement our packages state; of the root's dependency groups those in ``groups``."""
    stated = []
    for path in sorted(root.glob("*/*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        if project["name"] == "indigo-testing" and "dev" not in groups:
            continue
        stated += project["dependencies"]
    workspace = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    for group in groups:
        stated += workspace["dependency-groups"][group]
    return [requirement for requirement in map(Requirement, stated) if not is_ours(requirement.name)]


@pytest.fixture(scope="module", params=LOCKS)
def lock(request, root):
    return root / request.param


def test_every_pin_has_hashes_and_no_host(lock):
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^(-e|-r|-i|--(?!hash)|\.|/|file:)", text, re.MULTILINE)
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_what_our_packages_ask_for_is_pinned_as_they_ask(lock, root):
    groups = ("build", "dev") if "dev" in lock.name else ("build",)
    pinned = pins(lock)
    wrong = [
        str(requirement)
        for requirement in declared(root, groups=groups)
        if not any(
            requirement.specifier.contains(pinned_version(pin), prereleases=True)
            for pin in pinned.get(canonicalize_name(requirement.name), [])
        )
    ]
    assert wrong == [], TO_REPAIR


def test_what_the_pinned_packages_need_is_pinned_too(lock):
    """Read from the installed packages, so it says something about this platform only."""
    pinned = pins(lock)
    missing = []
    for name, alternatives in pinned.items():
        applies = any(pin.marker is None or pin.marker.evaluate() for pin in alternatives)
        if not applies or name == INSTALLER:
            continue
        for stated in distribution(name).requires or []:
            requirement = Requirement(stated)
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            candidates = pinned.get(canonicalize_name(requirement.name), [])
            if not any(
                requirement.specifier.contains(pinned_version(pin), prereleases=True) for pin in candidates
            ):
                missing.append(f"{name} needs {requirement}")
    assert missing == [], TO_REPAIR


def test_the_environment_has_the_locked_versions(root):
    different = []
    for name, alternatives in pins(root / "requirements-dev.lock").items():
        applying = [pin for pin in alternatives if pin.marker is None or pin.marker.evaluate()]
        try:
            installed = distribution(name).version
        except PackageNotFoundError:
            installed = None
        if applying and name != INSTALLER and installed not in {pinned_version(pin) for pin in applying}:
            different.append(f"{name} {installed}, locked {pinned_version(applying[0])}")
    assert different == [], f"run `make setup`, or {TO_REPAIR}"


def test_the_two_locks_agree(root):
    runtime, development = (pins(root / name) for name in LOCKS)
    assert {name: set(map(pinned_version, each)) for name, each in runtime.items()} == {
        name: set(map(pinned_version, development[name])) for name in runtime
    }
