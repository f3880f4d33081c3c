import pytest
from indigo_kernel.auth.principal import ANONYMOUS, Principal
from indigo_kernel.problems import Forbidden, Unauthenticated

ADA = Principal("https://issuer.example", "ada", scopes=frozenset({"dmp:write"}))


def test_a_granted_scope_lets_pass() -> None:
    ADA.require("dmp:write")
    assert ADA.has("dmp:write")


def test_a_missing_scope_is_named() -> None:
    with pytest.raises(Forbidden, match="dmp:publish") as caught:
        ADA.require("dmp:publish")
    assert caught.value.headers["www-authenticate"] == ('Bearer error="insufficient_scope", scope="dmp:publish"')
    assert caught.value.problem().model_dump()["scope"] == "dmp:publish"


def test_nobody_is_asked_to_log_in() -> None:
    with pytest.raises(Unauthenticated):
        ANONYMOUS.require("dmp:write")


def test_operator_implies_nothing() -> None:
    operator = Principal("https://issuer.example", "op", scopes=frozenset({"operator"}))
    with pytest.raises(Forbidden):
        operator.require("dmp:write")


def test_a_subject_of_another_issuer_is_somebody_else() -> None:
    assert ADA.owns("https://issuer.example", "ada")
    assert not ADA.owns("https://other.example", "ada")
    assert not ANONYMOUS.owns(ANONYMOUS.iss, ANONYMOUS.sub)


def test_events_carry_issuer_and_subject() -> None:
    actor = ADA.actor
    assert actor is not None
    assert (actor.iss, actor.sub) == ("https://issuer.example", "ada")
    assert ANONYMOUS.actor is None
    assert ANONYMOUS.anonymous and not ANONYMOUS.is_authenticated
