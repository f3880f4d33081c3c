from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from indigo_pid.domain.suffix import ALPHABET, BASE_LENGTH, check_character, is_valid_suffix, new_suffix

suffixes = st.text(ALPHABET, min_size=1, max_size=20).map(lambda base: base + check_character("99999", base))


@pytest.mark.parametrize("ark", ["13030/xf93gt2q", "12345/x6np1wh8k", "77913/r72t0f", "99999/fk4cz3dh0"])
def test_published_identifiers_check(ark):
    naan, _, name = ark.partition("/")
    assert is_valid_suffix(naan, name)


@pytest.mark.parametrize("ark", ["13030/c79cz3dh0", "67531/metadc107835", "99999/", "99999/x"])
def test_others_do_not(ark):
    naan, _, name = ark.partition("/")
    assert not is_valid_suffix(naan, name)


@given(suffixes, st.data())
def test_one_changed_character_is_noticed(suffix, data):
    position = data.draw(st.integers(0, len(suffix) - 1))
    other = data.draw(st.sampled_from(ALPHABET))
    assume(other != suffix[position])
    assert not is_valid_suffix("99999", suffix[:position] + other + suffix[position + 1 :])


@given(suffixes, st.data())
def test_two_neighbors_swapped_are_noticed(suffix, data):
    position = data.draw(st.integers(0, len(suffix) - 2))
    one, two = suffix[position], suffix[position + 1]
    assume(one != two)
    assert not is_valid_suffix("99999", suffix[:position] + two + one + suffix[position + 2 :])


def test_new_suffixes_check_and_differ():
    made = {new_suffix("99999") for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == BASE_LENGTH + 1 and is_valid_suffix("99999", one) for one in made)
    assert not any(set(one) - set(ALPHABET) for one in made)
