from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_pid.domain.names import Name, Naming, Scheme, parse_name
from indigo_pid.domain.suffix import new_suffix

NAMING = Naming("21.T99999", "10.5072", "99999", "https://pid.example.org")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("21.T99999/abc", Name(Scheme.HANDLE, "21.t99999/abc")),
        ("21.t99999/ABC", Name(Scheme.HANDLE, "21.t99999/abc")),
        ("10.5072/ABC", Name(Scheme.DOI, "10.5072/abc")),
        ("10.1002/(SICI)1097<1::AID>3.0.CO;2-X", Name(Scheme.DOI, "10.1002/(sici)1097<1::aid>3.0.co;2-x")),
        ("10.5072/a/b", Name(Scheme.DOI, "10.5072/a/b")),
        ("10.5072/\u0130\u00c4", Name(Scheme.DOI, "10.5072/\u0130\u00c4")),
        ("ark:/99999/fk4cz3dh0", Name(Scheme.ARK, "99999/fk4cz3dh0")),
        ("ARK:99999/fk4-cz3\u2010dh0/", Name(Scheme.ARK, "99999/fk4cz3dh0")),
        ("ark:99999/FK4", Name(Scheme.ARK, "99999/FK4")),
    ],
)
def test_names_are_compared_in_normal_form(text, name):
    assert parse_name(text) == name


@pytest.mark.parametrize(
    "text",
    ["", "/", "abc", "api/x", "21.T99999", "21.T99999/", "21/x", "ark:", "ark:99999", "ark:99999/-", "x/ark:1/2"],
)
def test_other_text_is_no_name(text):
    assert parse_name(text) is None


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    name = parse_name(text)
    assert name is None or "/" in name.key


def test_the_faces_of_a_suffix_are_read_back():
    suffix = new_suffix("99999")
    faces = NAMING.faces(suffix)
    names = [parse_name(face) for face in (faces.handle, faces.ark, faces.doi)]
    assert [name.key.partition("/")[2] for name in names if name] == [suffix] * 3
    assert all(NAMING.is_ours(name) and not NAMING.is_mistyped(name) for name in names if name)
    assert faces.resolver_url == f"https://pid.example.org/{faces.handle}"


def test_a_typing_error_is_told_from_a_foreign_name():
    suffix = new_suffix("99999")
    wrong = ("b" if suffix[0] != "b" else "c") + suffix[1:]
    assert NAMING.is_mistyped(Name(Scheme.HANDLE, f"21.t99999/{wrong}"))
    assert not NAMING.is_mistyped(Name(Scheme.HANDLE, f"21.t88888/{wrong}"))
