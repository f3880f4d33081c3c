"""The registrars there are, chosen by the prefix of a DOI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from indigo_pid.application.ports import Registrar


class Registrars:
    """Each DOI prefix has one registrar, and a registrar without any is none."""

    def __init__(self, registrars: Iterable[Registrar]) -> None:
        """Raises ``ValueError`` when two want one prefix."""
        self._all = tuple(one for one in registrars if one.prefixes)
        self._of_prefix: dict[str, Registrar] = {}
        for one in self._all:
            for prefix in one.prefixes:
                if prefix in self._of_prefix:
                    raise ValueError(f"{prefix} has two registrars")
                self._of_prefix[prefix] = one

    def __iter__(self) -> Iterator[Registrar]:
        return iter(self._all)

    def of(self, doi: str) -> Registrar | None:
        """The registrar of a DOI name; ``None`` when its prefix has none (any more)."""
        return self._of_prefix.get(doi.partition("/")[0])
