from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_pid.domain.pattern import BadPattern, Pattern


@pytest.mark.parametrize(
    ("pattern", "text", "groups"),
    [
        (r"box\(([^,]*),([^,]*),([^,]*),([^,]*)\)", "box(10,20,30,40)", ["10", "20", "30", "40"]),
        (r"^([U,u][R,r][N,n]:[a-z0-9()+,\-.:=@;$_!*'%\/?#]+)\?metadata$", "urn:x-1?metadata", ["urn:x-1"]),
        (r"(a|ab)(c|bcd)(d*)", "abcd", ["a", "bcd", ""]),
        (r"(a+?)(a*)", "aaa", ["a", "aa"]),
        (r"(?:x(y)?)*", "xyx", ["y"]),
        (r"[\w.-]{2,4}", "a.b", []),
        (r"[^\d]+", "abc", []),
        (r"[]a]+", "]a", []),
        (r"[a-]+", "a-a", []),
        (r"\.\\\(", r".\(", []),
        (r"(\S+)\s(\D{3})", "é€ abc", ["é€", "abc"]),
        (r"", "", []),
        (r"a||b", "", []),
    ],
)
def test_what_matches(pattern, text, groups):
    assert Pattern(pattern).fullmatch(text) == [text, *groups]
    assert list(re.fullmatch(pattern, text).groups()) == groups


@pytest.mark.parametrize(
    ("pattern", "text"), [("a", "aa"), ("a{2,3}", "aaaa"), (r"\w", "é"), ("x$y", "xy"), ("a^b", "ab"), (".", "\n")]
)
def test_what_does_not(pattern, text):
    assert Pattern(pattern).fullmatch(text) is None


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "missing"),
        (")", "unexpected"),
        ("[a", "missing"),
        ("*", "no argument"),
        ("a**", "repetition"),
        ("a{3,2}", "repetition"),
        ("a{1001}", "repetition"),
        (r"\pL{1000}", "too large"),
        (r"(a)\1", "escape"),
        ("(?=a)", "perl"),
        ("(?P<n", "group"),
        ("[z-a]", "range"),
        ("\\", "trailing"),
        ("x" * 501, "at most"),
    ],
)
def test_what_is_refused(pattern, told):
    with pytest.raises(BadPattern, match=told):
        Pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|aa)+b", "(a|a)*b", "(.*)(.*)(.*)(.*)(.*)(.*)x", "(a?){40}a{40}b"]
)
def test_no_pattern_takes_exponential_time(pattern):
    # By going back it would take longer than anybody lives; that it comes back is the proof.
    assert Pattern(pattern).fullmatch("a" * 2000) is None


PATTERNS = st.recursive(
    st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\w", r"\d", "-"]),
    lambda inner: (
        st.builds("({})".format, inner)
        | st.builds("(?:{}|{})".format, inner, inner)
        | st.builds("(?:{})({})".format, inner, inner)
        | st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?", "+?", "??"]))
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text(alphabet=string.ascii_letters[:3] + "-1", max_size=8))
def test_it_means_what_it_means_in_python(pattern, text):
    theirs = re.fullmatch(pattern, text, re.ASCII)
    assert (Pattern(pattern).fullmatch(text) is None) == (theirs is None)
