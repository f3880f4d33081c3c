from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_pid.sandbox.names import suffix_of
from indigo_pid.sandbox.states import State, after, flaws, is_doi

EVENTS = ["register", "publish", "show", "hide", "draft", "", None, 7]


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_whatever_is_asked_no_state_returns_to_draft(events):
    state = State.DRAFT
    left = False
    for event in events:
        state = after(state, event)
        left = left or state is not State.DRAFT
        assert not (left and state is State.DRAFT)


@pytest.mark.parametrize(
    ("state", "event", "result"),
    [
        (State.DRAFT, "register", State.REGISTERED),
        (State.DRAFT, "publish", State.FINDABLE),
        (State.DRAFT, "hide", State.DRAFT),
        (State.DRAFT, "show", State.DRAFT),
        (State.REGISTERED, "publish", State.FINDABLE),
        (State.REGISTERED, "show", State.FINDABLE),
        (State.FINDABLE, "hide", State.REGISTERED),
        (State.FINDABLE, "register", State.FINDABLE),
    ],
)
def test_transitions(state, event, result):
    assert after(state, event) is result


def test_a_draft_needs_only_its_name_and_a_findable_doi_all():
    assert flaws("10.5072/x", {}, State.DRAFT) == []
    assert [one.source for one in flaws("10.5072/x", {}, State.FINDABLE)] == [
        "url",
        "creators",
        "titles",
        "publisher",
        "publicationYear",
        "types",
    ]


def test_misshapen_attributes_are_named_once():
    found = flaws(
        "10.5072/x",
        {"titles": ["A"], "creators": "B", "url": "gopher://x", "types": {"resourceTypeGeneral": "Thing"}},
        State.FINDABLE,
    )
    assert sorted(one.source for one in found) == [
        "creators", "publicationYear", "publisher", "titles", "types", "url",
    ]  # fmt: skip
    assert "Title 'A' should be an object instead of a string." in [one.title for one in found]


def test_random_names_have_the_published_form():
    assert suffix_of(122149076) == "3mfp-6m52"
    assert suffix_of(0) == "0000-0098"


@pytest.mark.parametrize("doi", ["", "10.5072", "10.5072/", "10.50/x", "10.5072/a b", "10.5072/é", "11.5072/x"])
def test_what_is_no_new_name(doi):
    assert not is_doi(doi)
