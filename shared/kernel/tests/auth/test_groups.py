from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from indigo_kernel.auth.groups import groups_of, parse_entitlement

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"wlcg.groups": ["/lifewatch", "/lifewatch/admins"]}, {"/lifewatch", "/lifewatch/admins"}),
        ({"wlcg.groups": ["/lifewatch/admins"]}, {"/lifewatch/admins"}),  # the parent is not implied
        ({"groups": ["lifewatch", "/lifewatch/users"]}, {"/lifewatch", "/lifewatch/users"}),
        ({"groups": "lifewatch"}, {"/lifewatch"}),
        ({"wlcg.groups": ["/a//b", "/a/", "/", "", "/-a", "/a b", "/a/../b", 7, None, ["/x"]]}, set()),
        ({"groups": {"lifewatch": True}}, set()),
        ({}, set()),
    ],
)
def test_groups_follow_the_grammar(claims: dict[str, Any], groups: set[str]) -> None:
    assert groups_of(claims) == groups


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        ("urn:geant:lifewatch.eu:group:users#aai.lifewatch.eu", {"/users"}),
        ("urn:geant:egi.eu:group:vo.example:sub:deep#aai.egi.eu", {"/vo.example/sub/deep"}),
        (
            "urn:mace:egi.eu:group:vo.example:role=vm_operator#aai.egi.eu",
            {"/vo.example", "/vo.example:role=vm_operator"},
        ),
        ("urn:geant:a.eu:sub:ns:group:x", {"/x"}),
        ("urn:geant:a.eu:group:two%20words#a.eu", {"/two words"}),
        ("urn:geant:a.eu:group:x%2Fy#a.eu", set()),
        ("urn:geant:a.eu:group:%ff#a.eu", set()),
        ("urn:geant:a.eu:group:..#a.eu", set()),
        ("urn:geant:a.eu:group:role=admin#a.eu", set()),
        ("urn:geant:a.eu:group:x:role=#a.eu", set()),
        ("urn:geant:a.eu:group:x:#a.eu", set()),
        ("urn:geant:a.eu:res:compute#a.eu", set()),
        ("urn:mace:dir:entitlement:common-lib-terms", set()),
    ],
)
def test_entitlements_follow_the_guidelines(value: str, groups: set[str]) -> None:
    assert groups_of({"eduperson_entitlement": [value]}) == groups
    assert groups_of({"eduperson_entitlement": value}) == groups


def test_an_entitlement_names_its_authority() -> None:
    entitlement = parse_entitlement("urn:geant:lifewatch.eu:group:a:b:role=admin#aai.lifewatch.eu")
    assert entitlement is not None
    assert entitlement.namespace == "urn:geant:lifewatch.eu"
    assert (entitlement.path, entitlement.role) == ("/a/b", "admin")
    assert entitlement.authority == "aai.lifewatch.eu"


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first draw of any text reads Unicode's tables
@given(st.dictionaries(st.sampled_from(["wlcg.groups", "groups", "eduperson_entitlement"]), JSON))
def test_no_claim_breaks_the_parser(claims: dict[str, Any]) -> None:
    for group in groups_of(claims):
        assert group.startswith("/") and group.isprintable()


@given(st.text())
def test_no_entitlement_breaks_the_parser(text: str) -> None:
    for group in groups_of({"eduperson_entitlement": f"urn:geant:a.eu:group:{text}"}):
        assert ".." not in group.split("/")
