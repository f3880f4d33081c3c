from __future__ import annotations

import pytest
from indigo_kernel.problems import InvalidBody
from indigo_pid.application.identifiers import Rules
from indigo_pid.application.prefixes import Prefixes
from indigo_pid.domain.names import Naming
from indigo_pid.domain.proxies import name_at

RESOLVER = "https://pid.example.org"
NAMING = Naming("21.T99999", "10.5072", "99999", RESOLVER)


def check(url: str, *hosts: str) -> str:
    return Rules(NAMING, Prefixes("21.T99999"), hosts).target(url, of="21.T99999/x")


@pytest.mark.parametrize(
    "url",
    [
        "https://data.example.org/42",
        "http://[2001:db8::1]:8080/a?b=c#d",
        "https://example.org/%C3%A9",
        "https://pid.example.org/about",
        "https://pid.example.org.evil.test/21.T99999/x",
        "https://pid.example.org:8443/21.T99999/x",
        "https://doi.org/10.1002/(SICI)1097-4571",
        "https://hdl.handle.net/",
    ],
)
def test_web_addresses_pass_unchanged(url):
    assert check(url) == url


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("javascript:alert(1)", "scheme"),
        ("ftp://example.org/x", "scheme"),
        ("//example.org/x", "scheme"),
        ("/etc/passwd", "scheme"),
        ("", "url"),
        ("https://", "host"),
        ("https:///x", "host"),
        ("https://user:secret@example.org/", "credentials"),
        ("https://user@example.org/", "credentials"),
        ("https://example.org/a b", "url"),
        ("https://example.org/\r\nset-cookie: a=b", "url"),
        ("https://example.org\\@evil.test/", "url"),
        ("https://example.org/é", "url"),
        ("https://example.org/%zz", "url"),
        ("https://example.org:port/", "url"),
        ("https://[::1/", "url"),
        ("https://example.org/" + "x" * 2048, "too_long"),
        ("https://pid.example.org/21.T99999/x", "loop"),
        ("https://pid.example.org/10.5072%2Fx", "loop"),
        ("https://pid.example.org/ARK:/99999/x", "loop"),
        ("HTTP://PID.example.org:80//21.t99999/x?a=b", "loop"),
        ("https://doi.org/10.5072/x", "loop"),
        ("http://dx.doi.org/10.5072%2fX#a", "loop"),
        ("https://HDL.handle.net/21.T99999/x?noredirect", "loop"),
        ("https://n2t.net/ark:99999/x", "loop"),
    ],
)
def test_other_targets_are_refused(url, code):
    with pytest.raises(InvalidBody) as refused:
        check(url)
    assert [(one.pointer, one.code) for one in refused.value.errors] == [("/target", code)]


def test_hosts_can_be_limited():
    assert check("https://a.example.org/x", "*.example.org")
    assert check("https://EXAMPLE.org/x", "example.org")
    for url in ("https://example.org/", "https://evilexample.org/", "https://a.example.org.evil.test/"):
        with pytest.raises(InvalidBody):
            check(url, "*.example.org")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://doi.org/10.5072/a%2Fb", "10.5072/a/b"),
        ("https://n2t.net/ark:/12345/x?info", "ark:/12345/x"),
        ("https://pid.example.org/pid/21.T99999/x", "21.T99999/x"),
        ("https://pid.example.org/21.T99999/x", None),
        ("https://doi.org/about", None),
        ("ftp://doi.org/10.5072/x", None),
        ("https://doi.org:port/10.5072/x", None),
        ("21.T99999/x", None),
    ],
)
def test_addresses_that_are_names(url, name):
    assert name_at(url, "https://pid.example.org/pid") == name
