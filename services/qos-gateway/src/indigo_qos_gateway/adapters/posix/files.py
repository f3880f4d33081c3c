"""Objects and containers as files and directories of a tree, for every back-end with a mounted file system."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import structlog
from indigo_kernel.problems import ChecksumMismatch, Conflict

from indigo_qos_gateway.adapters.posix.attributes import CLASS
from indigo_qos_gateway.adapters.posix.listings import Listings
from indigo_qos_gateway.adapters.posix.tape import CHUNK, write_all
from indigo_qos_gateway.adapters.posix.tree import Tree, is_directory
from indigo_qos_gateway.adapters.threads import Threads
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.paths import ROOT, join
from indigo_qos_gateway.domain.storage import Child, Content

CheckReadable = Callable[[str, int], None]
"""Raises ``Offline`` when reading the open file at a path would recall it."""


log = structlog.get_logger()


class _Opened:
    """A descriptor that is closed when nobody knows it any more: who asked for it may be gone when it comes."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    __del__ = close


class Files:
    """The files below a tree. ``check_readable`` is asked before a file is read; it happens in ``threads``."""

    def __init__(self, tree: Tree, check_readable: CheckReadable, threads: Threads) -> None:
        self._tree = tree
        self._check_readable = check_readable
        self._threads = threads
        self._listings = Listings(tree)
        self._preparing = asyncio.Lock()
        self._prepared = False

    async def prepare(self) -> None:
        """Have the directories, once, and finish what processes that died left in them."""
        if self._prepared:
            return
        async with self._preparing:
            if not self._prepared:
                await self._threads.look(self._tree.prepare)
                swept = await self._threads.change(self._tree.sweep)
                if swept:
                    log.info("backend.swept", backend=self._threads.name, leftovers=swept)
                self._prepared = True

    async def children(self, path: str) -> Sequence[Child]:
        return await self._threads.look(self._listings.of, path)

    async def read(self, path: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        opened = await self._threads.look(self._open_data, path)
        try:
            offset = start
            while stop is None or offset < stop:
                most = CHUNK if stop is None else min(CHUNK, stop - offset)
                chunk = await self._threads.change(os.pread, opened.fd, most, offset)
                if not chunk:
                    return
                offset += len(chunk)
                yield chunk
        finally:
            opened.close()

    async def write(self, path: str, chunks: AsyncIterable[bytes], expected: Content | None) -> Content:
        if path == ROOT:
            raise Conflict("The root is a container")
        async with self._draft() as (draft, fd):
            digest, size = hashlib.sha256(), 0
            async for chunk in chunks:
                await self._threads.change(write_all, fd, chunk)
                digest.update(chunk)
                size += len(chunk)
            content = Content(size, digest.hexdigest())
            check_expected(path, content, expected)
            await self._threads.change(self._put, draft, fd, path)
        return content

    async def make_container(self, path: str) -> bool:
        return await self._threads.change(self._make_container, path)

    async def delete(self, path: str) -> None:
        if path == ROOT:
            raise Conflict("The root is always there")
        await self._threads.change(self._delete, path)

    def set_container_class(self, path: str, name: str) -> bool:
        """Note the class of a directory; False when it is a file. Raises ``ObjectNotFound``."""
        with self._tree.opened(path) as fd:
            if not is_directory(fd):
                return False
            self._tree.attributes.set(fd, CLASS, name)
            os.fsync(fd)
            return True

    @asynccontextmanager
    async def _draft(self) -> AsyncIterator[tuple[Path, int]]:
        """A draft that is made and removed in a thread."""
        made = ExitStack()
        try:
            yield await self._threads.change(made.enter_context, self._tree.draft())
        finally:
            await self._threads.change(made.close)

    def _open_data(self, path: str) -> _Opened:
        """For the caller to close; a change of class behind it does not disturb the reader."""
        with self._tree.opened(path) as fd:
            if is_directory(fd):
                raise Conflict(f"{path} is a container")
            self._check_readable(path, fd)
            return _Opened(os.dup(fd))

    def _put(self, draft: Path, fd: int, path: str) -> None:
        os.fsync(fd)
        try:
            with self._tree.held(path) as held:
                if is_directory(held.fd):
                    raise Conflict(f"{path} is a container")
                self._tree.replace(held, draft, keep_copy=False)
        except ObjectNotFound:
            self._tree.create(draft, path)

    def _make_container(self, path: str) -> bool:
        try:
            with self._tree.opened(path) as fd:
                if not is_directory(fd):
                    raise Conflict(f"{path} is a data object")
            return False
        except ObjectNotFound:
            with self._tree.directory(path, make=True):
                return True

    def _delete(self, path: str) -> None:
        with self._tree.opened(path) as fd:
            container = is_directory(fd)
        if not container:
            with self._tree.held(path) as held:
                self._tree.remove(held)
            return
        for name, _ in self._tree.entries(path):
            self._delete(join(path, name))
        self._tree.remove_directory(path)


def check_expected(path: str, content: Content, expected: Content | None) -> None:
    """Raise ``ChecksumMismatch`` when other bytes came than those ``expected``."""
    if expected is not None and content != expected:
        raise ChecksumMismatch(
            f"{path}: {content.size} bytes with SHA-256 {content.sha256} came,"
            f" {expected.size} with {expected.sha256} were expected"
        )
