"""Programs of storage systems: argument lists, no shell, a time limit, and English output."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from indigo_kernel.problems import BadRequest, Unavailable

_SHORT = 60.0
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Output:
    """What a program wrote, bytes that are no UTF-8 replaced, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def last_words(self) -> str:
        """The last line it wrote, for messages."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1][:300] if lines else f"exit code {self.code}"


class Commands:
    """The programs in ``directory``. ``name`` is that of the back-end, for messages.

    ``seconds`` is how long a question may take; moving bytes may take as long as its caller says.
    """

    def __init__(self, name: str, directory: Path, *, seconds: float = _SHORT) -> None:
        self.name = name
        self._directory = directory
        self._seconds = seconds
        self._questions = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, program: str, *arguments: str) -> Output:
        """Run a program that answers soon; only so many do at once. Raises ``Unavailable`` as ``run`` does."""
        async with self._questions:
            return await self.run(program, *arguments, seconds=self._seconds)

    async def run(self, program: str, *arguments: str, seconds: float) -> Output:
        """Run a program to its end; it and what it started is ended with the caller.

        Raises ``Unavailable`` when it is missing or takes too long. What its exit code means is the caller's.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                self._directory / program,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C"},
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"{self.name}: {program} cannot be run: {error.strerror}") from None
        try:
            async with asyncio.timeout(seconds):
                stdout, stderr = await process.communicate()
        except TimeoutError:
            raise Unavailable(f"{self.name}: {program} did not end in time") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
        assert process.returncode is not None
        return Output(process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))


@contextmanager
def file_list(lines: Sequence[str]) -> Iterator[Path]:
    """A file with one line for each, while the block lasts."""
    with tempfile.NamedTemporaryFile("w", prefix="indigo-qos-", suffix=".list", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
        file.flush()
        yield Path(file.name)


def in_quotes(path: Path | str) -> str:
    """A path between quotation marks, as lists of files want it. Raises ``BadRequest`` for one that has any."""
    text = str(path)
    if '"' in text or not text.isprintable():
        raise BadRequest("The storage cannot take names with quotation marks")
    return f'"{text}"'
