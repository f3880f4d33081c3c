"""Durations, expressions, wishes, policies and rules as pure decisions."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_kernel.problems import BadRequest, Forbidden
from indigo_qos_gateway.adapters.rules_file import read_rules
from indigo_qos_gateway.domain.choice import Candidate, Source, choose
from indigo_qos_gateway.domain.duration import Duration
from indigo_qos_gateway.domain.expressions import ExpressionError, parse_expression
from indigo_qos_gateway.domain.retention import check_untouched, check_update
from indigo_qos_gateway.domain.rules import Facts, Policy, PolicyState, Rule, Rules
from indigo_qos_gateway.domain.storage import ObjectType, StorageClass
from indigo_qos_gateway.domain.wishes import Wishes, read_wishes

START = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("PT30M", datetime(2026, 1, 31, 0, 30, tzinfo=UTC)),
        ("P1M", datetime(2026, 2, 28, tzinfo=UTC)),
        ("P1Y", datetime(2027, 1, 31, tzinfo=UTC)),
        ("P1Y1M1DT1H1M1S", datetime(2027, 3, 1, 1, 1, 1, tzinfo=UTC)),
        ("P2W", datetime(2026, 2, 14, tzinfo=UTC)),
        ("P9999Y", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_durations(text, after):
    assert Duration.parse(text).after(START) == after


@pytest.mark.parametrize("text", ["", "P", "PT", "P1", "1D", "P-1D", "P0D", "P1DT", "P1.5D", "p1d", "P1H"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError):
        Duration.parse(text)


DISK = {"country": frozenset({"ES"}), "type": frozenset({"disk"}), "latency": frozenset({"10"})}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("country=ES", True),
        ("country = es & type=tape", False),
        ("country=PT & type=disk | latency<11", True),
        ("latency<11 | country=ES & type=tape", False),  # one precedence, from left to right
        ("latency<11 | (country=ES & type=tape)", True),
        ("anyStorage \\ type=disk", False),
        ("latency>=10 & latency<=10.0 & latency=10", True),
        ("unknown=1", False),
        ("unknown<1", False),
        ("anyStorage", True),
    ],
)
def test_expressions(text, holds):
    assert parse_expression(text).holds(DISK) is holds
    assert parse_expression(str(parse_expression(text))).holds(DISK) is holds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "country", "()", "country=PL&", "&", "a=b c=d)", "(a=b", "a<b", "a==b", "a=b!", "a=", "=b"),
        "(" * 99,
        "a=b " * 900,
    ],
)
def test_what_is_no_expression(text):
    with pytest.raises(ExpressionError):
        parse_expression(text)


@given(st.text(alphabet="ab1.<>=&|\\() ", max_size=40))
def test_any_text_is_an_expression_or_told(text):
    with suppress(ExpressionError):
        parse_expression(text).holds(DISK)


def candidate(name, *, latency="10", copies="1", place=("ES",), price=None):
    metadata = {"cdmi_latency": latency, "cdmi_data_redundancy": copies, "cdmi_geographic_placement": list(place)}
    storage_class = StorageClass(name, ObjectType.DATAOBJECT, metadata, ())
    return Candidate(storage_class, {"type": frozenset({"disk" if latency == "10" else "tape"})}, price, "posix")


CANDIDATES = [
    candidate("disk", price=20.0),
    candidate("both", copies="2", price=22.0),
    candidate("tape", latency="60000", price=2.0),
]


def chosen(wishes=None, rules=(), *, policies=(), now=START, **facts):
    given = Facts(
        **{"path": "/data/f", "size": 0, "created": START, "groups": frozenset(), "storage": {}, **facts}
    )
    known = Rules(rules=tuple(rules), policies={each.name: each for each in policies})
    return choose(CANDIDATES, read_wishes(wishes or {}), known, given, "disk", now)


@pytest.mark.parametrize(
    ("wishes", "name"),
    [
        ({"cdmi_latency": "100"}, "disk"),
        ({"cdmi_latency": 100, "cdmi_data_redundancy": "2"}, "both"),
        ({"cdmi_data_redundancy": "1"}, "tape"),
        ({"cdmi_data_redundancy": "3", "cdmi_latency": "100"}, "disk"),  # as many as can be had
        ({"cdmi_geographic_placement": ["ES"]}, "tape"),
        ({"indigo_qos_expression": "type=disk"}, "disk"),
    ],
)
def test_wishes_choose_the_cheapest_class(wishes, name):
    assert chosen(wishes).storage_class == name


def test_unfulfilled_wishes_are_named():
    assert "cdmi_data_redundancy" in chosen({"cdmi_data_redundancy": "3"}).reason


@pytest.mark.parametrize(
    ("places", "permitted"),
    [
        (["ES"], True),
        (["!ES", "*"], False),
        (["PT", "*"], True),
        (["PT"], False),
        (["*"], True),
        (["ES-CN"], False),
    ],
)
def test_places(places, permitted):
    if permitted:
        assert chosen({"cdmi_geographic_placement": places})
    else:
        with pytest.raises(Forbidden):
            chosen({"cdmi_geographic_placement": places})


@pytest.mark.parametrize(
    "metadata",
    [
        {"cdmi_latency": "soon"},
        {"cdmi_latency": -1},
        {"cdmi_latency": True},
        {"cdmi_data_redundancy": "inf"},
        {"cdmi_geographic_placement": []},
        {"cdmi_geographic_placement": ["Spain"]},
        {"cdmi_geographic_placement": {"ES": 1}},
        {"cdmi_capability_lifetime": "P1Y"},
        {"cdmi_capability_lifetime_action": "delete"},
        {"cdmi_capability_lifetime": "1 year", "cdmi_capability_lifetime_action": "delete"},
        {"cdmi_capability_lifetime": "P1Y", "cdmi_capability_lifetime_action": "burn"},
        {"cdmi_capability_lifetime": "P1Y", "cdmi_capability_lifetime_action": "migrate-to:"},
        {"indigo_qos_expression": "type="},
        {"indigo_qos_policy": ["a"]},
    ],
)
def test_wishes_nobody_can_read(metadata):
    with pytest.raises(BadRequest):
        read_wishes(metadata)


RULES = [
    Rule("big and old", storage_class="tape", min_size=1000, min_age=Duration.parse("P30D")),
    Rule("friends", storage_class="both", group="/lifewatch", path="/data"),
    Rule("there", where=parse_expression("type=tape"), storage={"site": "ifca"}),
]


def test_the_first_rule_that_holds_decides():
    assert chosen(rules=RULES).source is Source.CONTAINER
    assert chosen(rules=RULES, groups=frozenset({"/lifewatch"})).storage_class == "both"
    assert chosen(rules=RULES, groups=frozenset({"/lifewatch"}), path="/database/f").storage_class == "disk"
    assert chosen(rules=RULES, storage={"site": frozenset({"IFCA"})}).storage_class == "tape"
    later = chosen(rules=RULES, size=1000, now=START + timedelta(days=30), groups=frozenset({"/lifewatch"}))
    assert (later.storage_class, later.reason, later.changes_at) == ("tape", "rule big and old", None)


def test_a_choice_knows_when_it_may_change():
    assert chosen(rules=RULES).changes_at == START + timedelta(days=30)


COLD = Policy(
    "cold",
    (
        PolicyState("both", Duration.parse("P10D")),
        PolicyState("disk", Duration.parse("P1M")),
        PolicyState("tape", None),
    ),
)


@pytest.mark.parametrize(
    ("days", "name", "changes"),
    [
        (0, "both", 10),
        (9, "both", 10),
        (10, "disk", 38),
        (37, "disk", 38),
        (38, "tape", None),
        (9999, "tape", None),
    ],
)
def test_policies_have_states(days, name, changes):
    found = chosen({"indigo_qos_policy": "cold"}, policies=[COLD], now=START + timedelta(days=days))
    assert found.storage_class == name
    assert found.changes_at == (START + timedelta(days=changes) if changes else None)


def test_an_unknown_policy_is_told():
    with pytest.raises(BadRequest):
        chosen({"indigo_qos_policy": "warm"}, policies=[COLD])


def test_the_operators_file(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(
        """
        currency = "CHF"
        [storage.posix]
        network = "geant"
        [storage.posix.classes.TapeOnly]
        price = 2
        attributes = { robots = 2, vendor = ["a", "b"] }
        [lifetime.DiskOnly]
        duration = "P1Y"
        action = "migrate-to:/cdmi_capabilities/dataobject/TapeOnly"
        [policy.cold]
        states = [{ class = "DiskAndTape", duration = "P10D" }, { class = "TapeOnly" }]
        [[rule]]
        name = "old"
        path = "/data/"
        min_age = "P30D"
        policy = "cold"
        """
    )
    rules = read_rules(file)
    assert rules.prices == {"posix": {"TapeOnly": 2.0}}
    assert rules.attributes["posix"]["TapeOnly"]["robots"] == {"2"}
    assert rules.lifetimes["DiskOnly"].migrate_to == "TapeOnly"
    assert (rules.rules[0].path, rules.rules[0].policy) == ("/data", "cold")
    assert read_rules(None) == Rules()


@pytest.mark.parametrize(
    "text",
    [
        "[[rule]]\nname = 'x'",
        "[[rule]]\nname = 'x'\nclass = 'A'\npolicy = 'b'",
        "[[rule]]\nname = 'x'\npolicy = 'none'",
        "[[rule]]\nname = 'x'\nclass = 'A'\npath = 'relative'",
        "[[rule]]\nname = 'x'\nwhere = 'a='",
        "[policy.p]\nstates = []",
        "[policy.p]\nstates = [{class = 'A', duration = 'P1D'}]",
        "[policy.p]\nstates = [{class = 'A'}, {class = 'B'}]",
        "[lifetime.A]\nduration = 'P1Y'\naction = 'burn'",
        "colour = 'red'",
        "not toml",
    ],
)
def test_an_operators_file_that_cannot_be_used(tmp_path, text):
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"rules\.toml"):
        read_rules(file)


def test_retention_only_grows():
    period = {"cdmi_retention_period": "2026-01-01T00:00:00.000000Z/2027-01-01T00:00:00.000000Z"}
    longer = {"cdmi_retention_period": "2026-01-01T00:00:00.000000Z/2028-01-01T00:00:00.000000Z"}
    check_update(period, longer, operator=False)
    for shorter in (period, {}):
        with pytest.raises(Forbidden):
            check_update(longer, shorter, operator=True)
    with pytest.raises(Forbidden):
        check_untouched("/f", period, START)
    check_untouched("/f", period, START + timedelta(days=400))


def test_holds_are_only_added():
    one, two = {"cdmi_hold_id": ["a"]}, {"cdmi_hold_id": {"a": "", "b": ""}}
    check_update(one, two, operator=False)
    with pytest.raises(Forbidden):
        check_update(two, one, operator=False)
    check_update(two, {}, operator=True)
    with pytest.raises(Forbidden):
        check_untouched("/f", one, START)


def test_wishes_without_places_permit_everything():
    assert Wishes({}).permits(CANDIDATES[0].storage_class)
