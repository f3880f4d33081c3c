"""Run as a program: writes versions in a child process that is killed at its n-th file operation, for every n.

Prints one line of JSON: how many points there were, and what was wrong after recovery.
"""

import json
import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from indigo_repository.adapters.storage.ocfl import OcflStore
from indigo_repository.adapters.storage.ocfl_layout import object_path
from indigo_repository.adapters.storage.ocfl_validate import validate_object
from indigo_repository.adapters.storage.staging import LocalStaging
from indigo_repository.application.ports import NewFile, NewVersion

OBJECT = "urn:uuid:0199aaaa-0000-7000-8000-000000000001"
WATCHED = {"open", "os.link", "os.mkdir", "os.rename", "os.rmdir", "os.remove"}


def stage(staging, key, content):
    upload = staging.receive()
    upload.write(content)
    return NewFile(key, staging.path(upload.blob), upload.finish())


def new_version(staging, number):
    files = [stage(staging, "kept.txt", b"the same"), stage(staging, f"sub/f{number}.csv", b"a,b\n%d\n" % number)]
    return NewVersion(
        OBJECT, number, files, b'{"v": %d}' % number, "publish", "tester", "mailto:t@example.org",
        datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def child(base, version, point):
    count = 0

    def hook(event, _args):
        nonlocal count
        if event in WATCHED:
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    store = OcflStore(base / "root", base / "work")
    store.write(version)
    os._exit(0)


def scenario(base, number):
    """Kill a writer of version ``number`` at every point; the object has the version whole or not at all."""
    failures, point = [], 0
    while True:
        point += 1
        shutil.rmtree(base, ignore_errors=True)
        staging = LocalStaging(base / "staging")
        store = OcflStore(base / "root", base / "work")
        for before in range(1, number):
            store.write(new_version(staging, before))
        version = new_version(staging, number)
        pid = os.fork()
        if pid == 0:
            child(base, version, point)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
            failures.append([point, "the writer failed by itself"])
        home = base / "root" / object_path(OBJECT)
        store = OcflStore(base / "root", base / "work")
        store.recover()
        if home.exists():
            issues = validate_object(home)
            if issues.found:
                failures.append([point, [issue.message for issue in issues.found]])
        elif number > 1:
            failures.append([point, "the object is gone"])
        if any((base / "work" / "building").iterdir()):
            failures.append([point, "something is left in the work directory"])
        empty = [p for p in (base / "root").rglob("*") if p.is_dir() and not any(p.iterdir())]
        if empty:
            failures.append([point, f"empty directories {empty}"])
        paths = store.write(version)  # the next try succeeds, and doubles nothing
        issues = validate_object(home)
        versions = sorted(path.name for path in home.glob("v*"))
        if issues.found or versions != [f"v{n}" for n in range(1, number + 1)] or len(paths) != 2:
            failures.append([point, "the next try", versions, [issue.message for issue in issues.found]])
        if os.WIFEXITED(status):
            return point, failures


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    first, second = scenario(directory, 1), scenario(directory, 2)
    print(json.dumps({"points": [first[0], second[0]], "failures": first[1] + second[1]}))
