"""Object identifiers against the ones printed in the standard."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_qos_gateway.domain.object_id import crc16, is_object_id, object_id, object_id_of


@pytest.fixture(scope="module")
def printed(vectors):
    return json.loads((vectors / "cdmi" / "snia_examples.json").read_text())["objectid_crc_vectors"]


def test_the_check_value_of_crc_16_arc():
    assert crc16(b"123456789") == 0xBB3D


def test_identifiers_of_the_standard(printed):
    assert len(printed["valid"]) >= 10
    for text in printed["valid"]:
        assert is_object_id(text)
        assert is_object_id(text.lower())
        raw = bytes.fromhex(text)
        assert object_id(int.from_bytes(raw[1:4], "big"), raw[8:]) == text


def test_misprints_of_the_standard_are_recognized(printed):
    assert not any(is_object_id(text) for text in printed["invalid_in_spec"])


@given(st.integers(1, (1 << 24) - 1), st.binary(min_size=1, max_size=32))
def test_made_identifiers_are_valid_and_one_wrong_bit_is_found(enterprise, opaque):
    made = object_id(enterprise, opaque)
    assert is_object_id(made)
    raw = bytearray(bytes.fromhex(made))
    raw[-1] ^= 1
    assert not is_object_id(raw.hex())


@pytest.mark.parametrize("text", ["", "00", "xyz", "00007ED9 0010D891022876A8DE0BC0FD", "00" * 41])
def test_other_text_is_no_identifier(text):
    assert not is_object_id(text)


@pytest.mark.parametrize(("enterprise", "opaque"), [(0, b"x"), (1 << 24, b"x"), (1, b""), (1, b"x" * 33)])
def test_what_does_not_fit_is_refused(enterprise, opaque):
    with pytest.raises(ValueError, match="object ID"):
        object_id(enterprise, opaque)


def test_a_name_has_one_identifier():
    assert object_id_of(32473, "/cdmi_capabilities") == object_id_of(32473, "/cdmi_capabilities")
    assert object_id_of(32473, "/cdmi_capabilities") != object_id_of(32473, "/cdmi_capabilities/container")
