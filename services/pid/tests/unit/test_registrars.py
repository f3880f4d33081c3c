from __future__ import annotations

from types import SimpleNamespace

import pytest
from indigo_pid.application.registrars import Registrars


def registrar(name, *prefixes):
    return SimpleNamespace(name=name, prefixes=frozenset(prefixes))


def test_the_prefix_decides():
    registrars = Registrars([registrar("a", "10.1000", "10.10001"), registrar("b", "10.2000"), registrar("c")])
    assert [one.name for one in registrars] == ["a", "b"]
    names = ("10.1000/x", "10.10001/10.2000/x", "10.2000/x", "10.3000/x", "10.1")
    assert [getattr(registrars.of(doi), "name", None) for doi in names] == ["a", "a", "b", None, None]


def test_a_prefix_has_one_registrar():
    with pytest.raises(ValueError, match=r"10\.1000 has two registrars"):
        Registrars([registrar("a", "10.1000"), registrar("b", "10.1000")])
