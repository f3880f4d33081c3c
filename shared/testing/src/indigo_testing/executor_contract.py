"""What every executor of untrusted commands must do, written once: a test class to inherit."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from indigo_contracts.dmp import Limits

LIMITS = Limits(wall_seconds=20, cpu_seconds=10, memory_mb=256, disk_mb=8, processes=16)

Run = Callable[..., Awaitable[Any]]


class ExecutorContract:
    """Inherit it and define the fixture ``executor``."""

    @pytest.fixture
    def outputs(self, tmp_path: Path) -> Path:
        directory = tmp_path / "output"
        directory.mkdir()
        return directory

    @pytest.fixture
    def run(self, executor: Any, tmp_path: Path, outputs: Path) -> Run:
        """Starts a Python script as the software, on a file ``a.csv``; keywords change the limits."""

        async def start(script: str, *command: str, **limits: int) -> Any:
            data, software = tmp_path / "input", tmp_path / "software"
            data.mkdir()
            software.mkdir()
            (data / "a.csv").write_text("n\n1\n2\n")
            (software / "main.py").write_text(textwrap.dedent(script))
            return await executor.run(
                command or ["python3", "/software/main.py"],
                data=data,
                software=software,
                outputs=outputs,
                limits=LIMITS.model_copy(update=limits),
            )

        return start

    async def test_command_reads_input_and_writes_output(self, run: Run, outputs: Path) -> None:
        done = await run("""
            import os, sys
            total = sum(int(line) for line in open("/input/a.csv").readlines()[1:])
            os.makedirs("deep/er")
            open("deep/er/sum.txt", "w").write(str(total))
            print("counted", os.getcwd()); print("careful", file=sys.stderr)
        """)
        assert (done.exit_code, done.stopped) == (0, None)
        assert done.stdout == b"counted /output\n"
        assert done.stderr == b"careful\n"
        assert [(each.path, each.size) for each in done.outputs] == [("deep/er/sum.txt", 1)]
        assert (outputs / "deep/er/sum.txt").read_text() == "3"

    async def test_exit_code_is_told(self, run: Run) -> None:
        assert (await run("import sys; sys.exit(7)")).exit_code == 7

    async def test_command_that_is_not_there(self, run: Run) -> None:
        done = await run("", "no-such-program")
        assert done.exit_code == 127
        assert b"no-such-program" in done.stderr

    async def test_endless_command_is_stopped(self, run: Run) -> None:
        done = await run("import time; time.sleep(600)", wall_seconds=1)
        assert (done.stopped, done.exit_code) == ("wall", None)
        assert done.wall_seconds < 10

    async def test_cpu_is_limited(self, run: Run) -> None:
        done = await run("while True: pass", cpu_seconds=1)
        assert done.exit_code in {137, 152}
        assert done.wall_seconds < 15

    async def test_memory_of_one_process_is_limited(self, run: Run) -> None:
        done = await run("x = bytearray(2 << 30); print('had it')")
        assert b"had it" not in done.stdout
        assert done.exit_code != 0

    async def test_memory_of_all_processes_is_limited(self, run: Run) -> None:
        done = await run(
            """
            import os, time
            for _ in range(6):
                if os.fork() == 0:
                    hog = bytearray(b"x") * (48 << 20)
                    time.sleep(600)
            time.sleep(600)
            """,
            memory_mb=128,
        )
        assert done.stopped == "memory"

    async def test_number_of_processes_is_limited(self, run: Run) -> None:
        done = await run("""
            import os, time
            made = 0
            try:
                for _ in range(500):
                    if os.fork() == 0:
                        time.sleep(600)
                        os._exit(0)
                    made += 1
            except BlockingIOError:
                pass
            print(made)
        """)
        assert 0 < int(done.stdout) < 32

    async def test_fork_bomb_ends_with_the_command(self, run: Run) -> None:
        done = await run(
            """
            import os
            while True:
                try:
                    os.fork()
                except OSError:
                    pass
            """,
            wall_seconds=2,
        )
        assert done.stopped == "wall"
        assert done.wall_seconds < 10

    async def test_background_children_do_not_outlive_the_command(self, run: Run) -> None:
        done = await run("""
            import os, time
            if os.fork() == 0:
                os.setsid()
                time.sleep(3)
                open("/output/late.txt", "w").write("still here")
                os._exit(0)
            open("/output/now.txt", "w").write("done")
        """)
        assert done.exit_code == 0
        assert done.wall_seconds < 3
        assert [each.path for each in done.outputs] == ["now.txt"]

    async def test_output_is_limited(self, run: Run) -> None:
        done = await run("""
            chunk = b"x" * (1 << 20)
            for n in range(64):
                with open(f"f{n}", "wb") as out:
                    out.write(chunk)
        """)
        assert done.exit_code != 0
        assert sum(each.size for each in done.outputs) <= LIMITS.disk_mb << 20

    @pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])  # noqa: S108 - inside the sandbox
    async def test_scratch_space_is_limited(self, run: Run, place: str) -> None:
        done = await run(f"""
            chunk = b"x" * (1 << 20)
            for n in range(64):
                with open(f"{place}/f{{n}}", "wb") as out:
                    out.write(chunk)
        """)
        assert done.exit_code != 0
        assert b"No space left" in done.stderr

    @pytest.mark.parametrize(
        "place", ["/input/a.csv", "/input/new", "/software/main.py", "/usr/x", "/etc/x", "/dev/x", "/x", "/srv/x"]
    )
    async def test_nothing_else_can_be_written(self, run: Run, place: str) -> None:
        done = await run(f"""
            try:
                open({place!r}, "w").write("changed")
            except OSError:
                print("refused")
        """)
        assert done.stdout == b"refused\n"

    async def test_machine_is_not_visible(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("INDIGO_TEST_SECRET", "hunter2")
        done = await run("""
            import os
            for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/root", "/home", "/work", "/var", "/sys"):
                print(path, os.path.exists(path))
            print(sorted(name for name in os.environ if "SECRET" in name or "INDIGO" in name))
            print(sum(name.isdigit() for name in os.listdir("/proc")) < 6, os.getuid() != 0)
            print(any(b"hunter2" in open(f"/proc/{pid}/environ", "rb").read() for pid in (1, "self")))
        """)
        lines = done.stdout.decode().splitlines()
        assert [line for line in lines[:8] if line.endswith("True")] == []
        assert lines[8:] == ["[]", "True True", "False"]

    async def test_there_is_no_network(self, run: Run) -> None:
        done = await run("""
            import socket
            for address in (("127.0.0.1", 22), ("192.0.2.1", 80), ("8.8.8.8", 53)):
                try:
                    socket.create_connection(address, timeout=2)
                    print("connected")
                except OSError:
                    print("refused")
            print(sorted(name for _, name in socket.if_nameindex()))
        """)
        assert done.stdout.splitlines()[:3] == [b"refused"] * 3
        assert done.stdout.splitlines()[3] in {b"[]", b"['lo']"}

    async def test_no_new_namespaces_or_privileges(self, run: Run) -> None:
        done = await run("""
            import ctypes
            libc = ctypes.CDLL(None, use_errno=True)
            print(libc.unshare(0x10000000), libc.unshare(0x00020000))
            status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
            print(int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"].strip())
        """)
        assert done.stdout.decode().splitlines() == ["-1 -1", "0 0 1"]

    async def test_links_are_not_followed(self, run: Run, outputs: Path) -> None:
        done = await run("""
            import os
            os.symlink("/etc/passwd", "passwd")
            os.symlink("../input", "dir")
            os.mkfifo("pipe")
            open("real.txt", "w").write("x")
        """)
        assert [each.path for each in done.outputs] == ["real.txt"]
        assert dict(done.rejected) == {"passwd": "symlink", "dir": "symlink", "pipe": "special"}
        assert os.listdir(outputs) == ["real.txt"]  # noqa: PTH208

    async def test_odd_names_are_left_out(self, run: Run) -> None:
        done = await run(r"""
            import os
            open(b"bad\xff", "w"); open("new\nline", "w"); open(" space", "w"); open("back\\slash", "w")
            path = "."
            for n in range(100):
                path += "/d"
                os.mkdir(path)
            open(path + "/deep", "w")
            open("été.txt", "w").write("fine")
        """)
        assert [each.path for each in done.outputs] == ["été.txt"]
        assert {reason for _, reason in done.rejected} == {"name"}

    async def test_endless_text_is_kept_in_part(self, run: Run) -> None:
        done = await run("""
            import sys
            for _ in range(2000):
                sys.stdout.write("x" * 10_000)
            sys.stdout.write("the end")
        """)
        assert done.exit_code == 0
        assert done.stdout_bytes == 20_000_007
        assert len(done.stdout) <= 1 << 20
        assert done.stdout.endswith(b"the end")
