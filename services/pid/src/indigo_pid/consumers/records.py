"""What the consumers of record facts share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from indigo_kernel.bus.ports import PermanentError
from indigo_kernel.problems import DomainError


@contextmanager
def refusals_are_final() -> Iterator[None]:
    """A fact the domain refuses will be refused again: it goes to the dead letters with the reason at once."""
    try:
        yield
    except DomainError as error:
        raise PermanentError(error.detail) from error
