"""Whether a storage answers: one that does not must not hold everybody who asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from indigo_kernel.problems import Unavailable


class Doubt:
    """After a question that was not answered in time one caller at a time tries again; others are told at once.

    ``name`` is that of the back-end. So a storage that hangs costs each of those who wait for it one time limit,
    and after that holds one worker and no more, until it answers.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._doubted = False
        self._tried = False

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around a question; ``TimeoutError`` in the block says that there was no answer.

        Raises ``Unavailable`` at once while somebody else tries a storage that did not answer the last time.
        """
        trying = self._doubted
        if trying and self._tried:
            raise Unavailable(f"{self._name} does not answer; it is being tried again")
        self._tried = self._tried or trying
        try:
            yield
        except TimeoutError:
            self._doubted = True
            raise
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._doubted = False  # an error is an answer too
            raise
        else:
            self._doubted = False
        finally:
            if trying:
                self._tried = False
