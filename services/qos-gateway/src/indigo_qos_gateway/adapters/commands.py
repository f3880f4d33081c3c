"""Programs of storage systems: argument lists, no shell, limits of time and output, and English output."""

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

from indigo_qos_gateway.adapters.doubt import Doubt

_SHORT = 60.0
_AT_ONCE = 8
_CHANGES_AT_ONCE = 32
_MOST_BYTES = 4 << 20
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Output:
    """What a program wrote, bytes that are no UTF-8 replaced, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def last_words(self) -> str:
        """The last line it wrote, for messages; characters that are not printable are left out."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        words = "".join(each for each in lines[-1][:300] if each.isprintable()) if lines else ""
        return words or f"exit code {self.code}"


class _TooMuch(Exception):
    """A program wrote more than anybody can want."""


class Commands:
    """The programs in ``directory``. ``name`` is that of the back-end, for messages.

    ``seconds`` is how long a question may take, with the wait for its turn; moving bytes may take as long as its
    caller says. What a program may write is ``most_bytes``.
    """

    def __init__(
        self, name: str, directory: Path, *, seconds: float = _SHORT, most_bytes: int = _MOST_BYTES
    ) -> None:
        self.name = name
        self._directory = directory
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._doubt = Doubt(name)
        self._questions = asyncio.Semaphore(_AT_ONCE)
        self._changes = asyncio.Semaphore(_CHANGES_AT_ONCE)

    async def ask(self, program: str, *arguments: str) -> Output:
        """Run a program that answers soon; only so many do at once. Raises ``Unavailable`` as ``run`` does.

        One that did not answer the last time is tried by one caller at a time.
        """
        try:
            with self._doubt.asking():
                async with asyncio.timeout(self._seconds), self._questions:
                    return await self._run(program, arguments)
        except TimeoutError:
            raise self._late(program) from None

    async def run(self, program: str, *arguments: str, seconds: float) -> Output:
        """Run a program to its end; it and what it started is ended with the caller.

        Raises ``Unavailable`` when it is missing, takes too long, or writes too much. What its exit code means is
        the caller's.
        """
        try:
            async with self._changes, asyncio.timeout(seconds):
                return await self._run(program, arguments)
        except TimeoutError:
            raise self._late(program) from None

    async def _run(self, program: str, arguments: Sequence[str]) -> Output:
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
        except (OSError, ValueError) as error:  # a NUL in a name is a ValueError
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise Unavailable(f"{self.name}: {program} cannot be run: {reason}") from None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.TaskGroup() as group:
                stdout = group.create_task(self._all_of(process.stdout))
                stderr = group.create_task(self._all_of(process.stderr))
            code = await process.wait()
        except* _TooMuch:
            raise Unavailable(f"{self.name}: {program} wrote more than {self._most_bytes} bytes") from None
        finally:
            # Also when the program itself has ended: what it started holds its output, and is in its group.
            open_still = not (process.stdout.at_eof() and process.stderr.at_eof())
            if open_still or process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
        return Output(code, stdout.result().decode(errors="replace"), stderr.result().decode(errors="replace"))

    async def _all_of(self, stream: asyncio.StreamReader) -> bytes:
        """Raises ``_TooMuch``."""
        found = bytearray()
        while chunk := await stream.read(_CHUNK):
            found += chunk
            if len(found) > self._most_bytes:
                raise _TooMuch
        return bytes(found)

    def _late(self, program: str) -> Unavailable:
        return Unavailable(f"{self.name}: {program} did not end in time")


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
