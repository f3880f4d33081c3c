"""Processing tests as a plan asks for them: what runs, what is compared, and how attacks end."""

from __future__ import annotations

import hashlib

import pytest

TOOL = {"key": "tool", "kind": "software", "title": "The tool"}
REFERENCE = "site,year,value,run\nA,2020,1.5,x\nB,2021,2.5,x\n"
COPY = "import shutil; shutil.copy('/input/reference.csv', 'result.csv')"


def a_test(*outputs, command=("python3", "/software/main.py"), **limits):
    """A processing test that expects these outputs; ``result.csv`` when none is named."""
    expected = outputs or [{"path": "result.csv", "compare": "exists"}]
    return {
        "key": "reproduced",
        "level": "processing",
        "software": "tool",
        "command": list(command),
        "outputs": list(expected),
        "limits": {"wall_seconds": 20, "cpu_seconds": 10, "memory_mb": 256, "disk_mb": 8, "processes": 16}
        | limits,
    }


async def run(integrity, script, test, **changes):
    """The finished run of ``test`` with ``script`` as the software."""
    await integrity.plan({"tests": [test]}, TOOL)
    await integrity.publish("s1", {"main.py": script}, output="tool", kind="software")
    await integrity.publish("r1", {"reference.csv": REFERENCE}, **changes)
    await integrity.work_off()
    return await integrity.only()


def codes(run):
    return [finding["code"] for finding in run["findings"]]


CSV = {"path": "result.csv", "compare": "csv", "reference": "reference.csv", "key": ["site", "year"]}


@pytest.mark.parametrize(
    ("script", "expected", "grade"),
    [
        (COPY, {"compare": "digest", "key": []}, "byte-identical"),
        (COPY, {}, "byte-identical"),
        (
            "open('result.csv','w').write('year,site,value,run\\r\\n2021,B,2.50,x\\r\\n2020,A,1.5,x\\r\\n')",
            {},
            "identical-after-normalization",
        ),
        (
            "open('result.csv','w').write('site,year,value,run\\nA,2020,1.5000001,y\\nB,2021,2.5,z\\n')",
            {"rtol": 1e-6, "ignore": ["run"]},
            "within-tolerance",
        ),
    ],
)
async def test_reproduced(integrity, script, expected, grade) -> None:
    done = await run(integrity, script, a_test(CSV | expected))
    assert (done["verdict"], done["evidence"]["grade"]) == ("pass", grade)
    assert done["evidence"]["executor"] == "bubblewrap"
    assert done["evidence"]["isolation"] == "namespace"
    (line,) = done["evidence"]["outputs"]
    assert (line["path"], line["grade"]) == ("result.csv", grade)


async def test_sha256_of_the_plan(integrity) -> None:
    wanted = hashlib.sha256(b"42").hexdigest()
    done = await run(
        integrity, "open('result.csv','w').write('42')", a_test({"path": "result.csv", "sha256": wanted})
    )
    assert done["verdict"] == "pass"


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        ("site,year,value,run\nA,2020,1.6,x\nB,2021,2.5,x\n", "output-different", {"row": 2, "column": "value"}),
        ("site,year,value,run\nA,2020,1.5,x\n", "output-different", {"row": 3}),
        ("site,year,value\nA,2020,1.5\nB,2021,2.5\n", "output-different", {"row": 1}),
        ("", "output-unreadable", {}),
        ('site,year,value,run\n"A,2020', "output-unreadable", {}),
    ],
)
async def test_different(integrity, content, code, where) -> None:
    done = await run(integrity, f"open('result.csv','w').write({content!r})", a_test(CSV))
    assert done["verdict"] == "fail"
    assert done["evidence"]["grade"] == "different"
    assert done["findings"][0]["code"] == code
    assert done["findings"][0]["location"] == {"output": "result.csv"} | where


async def test_json_with_hostile_values_is_stored(integrity) -> None:
    content = '{"a": "\\u0000\\ud800", "b": NaN, "c": ' + "9" * 40 + ', "d": "' + "x" * 9000 + '"}'
    reference = '{"a": "x", "b": 1, "c": 2, "d": 3}'
    await integrity.plan(
        {"tests": [a_test({"path": "result.json", "compare": "json", "reference": "expected.json"})]}, TOOL
    )
    script = f"open('result.json', 'w').write({content!r})"
    await integrity.publish("s1", {"main.py": script, "expected.json": reference}, output="tool")
    await integrity.publish("r1", {"a.csv": "x"})
    await integrity.work_off()
    done = await integrity.only()
    assert codes(done) == ["output-different"] * 4
    observed = [finding["observed"] for finding in done["findings"]]
    assert observed[:2] == ["\ufffd?", "nan"]
    assert len(observed[3]) == 2001


async def test_deeply_nested_json(integrity) -> None:
    await integrity.plan(
        {"tests": [a_test({"path": "result.json", "compare": "json", "reference": "expected.json"})]}, TOOL
    )
    script = "open('result.json', 'w').write('[' * 90_000)"
    await integrity.publish("s1", {"main.py": script, "expected.json": "[]"}, output="tool")
    await integrity.publish("r1", {"a.csv": "x"})
    await integrity.work_off()
    assert codes(await integrity.only()) == ["output-unreadable"]


@pytest.mark.parametrize(
    ("script", "limits", "verdict", "code"),
    [
        ("import time; time.sleep(600)", {"wall_seconds": 1}, "fail", "wall-limit"),
        ("while True: pass", {"cpu_seconds": 1}, "fail", "cpu-limit"),
        ("x = bytearray(1 << 30)", {}, "fail", "exit-code"),
        (
            "import os, time\nfor _ in range(5):\n  os.fork() or [b'x' * (60 << 20), time.sleep(99)]\ntime.sleep(99)",
            {"memory_mb": 128},
            "fail",
            "memory-limit",
        ),
        (
            "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
            {"wall_seconds": 1},
            "fail",
            "wall-limit",
        ),
        ("import os\nwhile True: os.fork()", {"wall_seconds": 2}, "fail", None),
        ("open('result.csv', 'wb').write(b'x' * (20 << 20))", {}, "fail", None),
        ("print(open('/etc/passwd').read())", {}, "fail", "exit-code"),
        ("import os; os.listdir('/root')", {}, "fail", "exit-code"),
        ("import os; os.environ['INDIGO_INTEGRITY_SECRET_KEY']", {}, "fail", "exit-code"),
        ("import socket; socket.create_connection(('127.0.0.1', 5432))", {}, "fail", "exit-code"),
        ("open('/input/reference.csv', 'a').write('more')", {}, "fail", "exit-code"),
        ("import os; os.symlink('/etc/passwd', 'result.csv')", {}, "fail", "output-not-a-file"),
        ("import os; os.mkdir('result.csv')", {}, "fail", "output-missing"),
        ("pass", {}, "fail", "output-missing"),
        ("import sys; sys.exit(3)", {}, "fail", "exit-code"),
        ("import os; os.kill(os.getpid(), 11)", {}, "fail", "exit-code"),
        ("import sys; sys.stdout.write('x' * 30_000_000)\nopen('result.csv', 'w')", {}, "pass", None),
        (
            "import os, time\nif os.fork() == 0:\n  time.sleep(99)\nopen('result.csv', 'w').write('x')",
            {},
            "pass",
            None,
        ),
        ("import os\nopen(b'od\\xffd', 'w'); open('result.csv', 'w')", {}, "pass", "output-rejected"),
    ],
)
async def test_attacks_end_with_a_clear_verdict(integrity, script, limits, verdict, code) -> None:
    done = await run(integrity, script, a_test(**limits))
    assert done["verdict"] == verdict, done
    if code:
        assert codes(done)[0] == code
        assert done["findings"][0]["message"]
    assert len(done["evidence"]["stdout"]) <= 2001


async def test_program_that_is_not_there(integrity) -> None:
    done = await run(integrity, "", a_test(command=["Rscript-9", "x.R"]))
    assert (done["verdict"], codes(done)) == ("fail", ["command-not-found"])


async def test_more_than_the_operator_allows(integrity) -> None:
    done = await run(integrity, COPY, a_test(memory_mb=262_144, wall_seconds=86_400))
    assert (done["verdict"], codes(done)) == ("indeterminate", ["limit-exceeds-cap"])
    assert "memory_mb 262144 > 4096" in done["summary"]
    assert done["evidence"]["caps"]["memory_mb"] == 4096


async def test_inputs_that_are_too_large(start_integrity) -> None:
    async with start_integrity(max_download_bytes=10) as integrity:
        done = await run(integrity, COPY, a_test())
        assert (done["verdict"], codes(done)) == ("indeterminate", ["too-large"])


async def test_damaged_software_is_not_run(integrity) -> None:
    await integrity.plan({"tests": [a_test()]}, TOOL)
    await integrity.publish("s1", {"main.py": "good"}, output="tool")
    await integrity.publish("r1", {"reference.csv": REFERENCE})
    integrity.repository.files["s1"]["main.py"] = b"evil"
    await integrity.work_off()
    done = await integrity.only()
    assert (done["verdict"], codes(done)) == ("fail", ["file-changed"])


async def test_values_of_restricted_data_are_not_told(integrity) -> None:
    script = (
        "print('secret value'); open('result.csv','w').write('site,year,value,run\\nA,2020,9,x\\nB,2021,2.5,x\\n')"
    )
    done = await run(integrity, script, a_test(CSV), access="restricted")
    assert done["verdict"] == "fail"
    assert "observed" not in done["findings"][0]
    assert "stdout" not in done["evidence"]
    answer = await integrity.http.get(f"/api/runs/{done['run_id']}/report")
    assert answer.status_code == 401
    headers = integrity.auth("integrity:run")
    (finding,) = await integrity.report(done["run_id"], **headers)
    assert finding["observed"] == 9
