"""Scopes and results of notification and query queues."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_kernel.problems import BadRequest
from indigo_qos_gateway.domain.scope import check_results, check_scope, matches, told

OBJECT = {
    "objectName": "Penguins.csv",
    "mimetype": "text/csv",
    "metadata": {"cdmi_size": "37", "colors": "Red, blue", "sites": ["ES", "IT"], "n": 9},
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"objectName": "== Penguins.csv"}, True),
        ({"objectName": "== penguins.csv"}, False),
        ({"objectName": "!= x"}, True),
        ({"objectName": "starts Pen"}, True),
        ({"objectName": "!starts Pen"}, False),
        ({"objectName": "ends .csv"}, True),
        ({"objectName": "contains guin"}, True),
        ({"objectName": "!contains guin"}, False),
        ({"objectName": "> M"}, True),
        ({"objectName": "<= M"}, False),
        ({"objectName": "*"}, True),
        ({"objectName": "!*"}, False),
        ({"owner": "*"}, False),
        ({"owner": "!*"}, True),
        ({"owner": "!= x"}, False),
        ({"objectName": ["starts P", "ends .csv"]}, True),
        ({"objectName": ["starts P", "ends .txt"]}, False),
        ({"objectName": "== Penguins.csv", "mimetype": "== x"}, False),
        ({"metadata": {"cdmi_size": "#== 37.0"}}, True),
        ({"metadata": {"cdmi_size": "#> 4"}}, True),
        ({"metadata": {"cdmi_size": "> 4"}}, False),
        ({"metadata": {"cdmi_size": "#!= 37"}}, False),
        ({"metadata": {"cdmi_size": "#> x"}}, False),
        ({"metadata": {"colors": "#> 1"}}, False),
        ({"metadata": {"colors": "tag RED"}}, True),
        ({"metadata": {"colors": "!tag blue"}}, False),
        ({"metadata": {"colors": "tag re"}}, False),
        ({"metadata": {"sites": "== IT"}}, True),
        ({"metadata": {"sites": "!= IT"}}, False),
        ({"metadata": {"n": "#<= 9"}}, True),
        ({"metadata": {"n": {"deep": "*"}}}, False),
    ],
)
def test_one_condition(condition, holds):
    check_scope([condition])
    assert matches([condition], OBJECT) is holds


def test_one_of_several_conditions_is_enough_and_none_stands_for_everything():
    assert matches([{"objectName": "== x"}, {"mimetype": "starts text/"}], OBJECT)
    assert not matches([{"objectName": "== x"}, {"mimetype": "== x"}], OBJECT)
    assert matches([], OBJECT)


@pytest.mark.parametrize(
    "scope",
    [
        {},
        "== x",
        [7],
        [{"a": 7}],
        [{"a": []}],
        [{"a": ["== x", 7]}],
        [{"a": "is x"}],
        [{"a": "=~ x"}],
        [{"value": "*"}],
    ],
)
def test_what_is_no_scope(scope):
    with pytest.raises(BadRequest):
        check_scope(scope)


def test_a_scope_is_bounded():
    nested = {"a": "*"}
    for _ in range(20):
        nested = {"a": nested}
    with pytest.raises(BadRequest):
        check_scope([nested])
    with pytest.raises(BadRequest):
        check_scope([{"a": ["*"] * 60}, {"a": ["*"] * 60}])


def test_results_choose_fields():
    assert told("", OBJECT) == OBJECT
    chosen = {"objectName": "", "owner": "", "metadata": {"n": "", "m": ""}, "mimetype": {"deep": ""}}
    check_results(chosen)
    assert told(chosen, OBJECT) == {"objectName": "Penguins.csv", "metadata": {"n": 9}, "mimetype": "text/csv"}
    assert told({"metadata": ""}, OBJECT) == {"metadata": OBJECT["metadata"]}


WORDS = st.sampled_from(["*", "!*", "==", "!=", "#>", "#<=", "starts", "!tag", "tag", "contains", "=~", ""])
VALUES = st.recursive(
    st.text(max_size=5) | st.integers() | st.none(), lambda each: st.lists(each, max_size=3), max_leaves=5
)


@given(WORDS, st.text(max_size=10), VALUES)
def test_whatever_is_a_scope_can_be_matched(word, constant, value):
    scope = [{"a": f"{word} {constant}"}]
    try:
        check_scope(scope)
    except BadRequest:
        return
    assert matches(scope, {"a": value}) in {True, False}
