from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_kernel.auth.scopes import (
    MalformedScopeError,
    Scope,
    StorageAction,
    covers,
    parse_storage_scope,
    storage_allows,
)

# the examples of the profile, section 2.2.1
PROFILE = [
    ("storage.read:/foo", "read", "/foo", True),
    ("storage.read:/foo", "read", "/bar", False),
    ("storage.modify:/baz", "modify", "/baz/qux", True),
    ("storage.create:/foo/bar", "create", "/foo/bar", True),
    ("storage.create:/foo/bar", "create", "/foo/bar/qux", True),
    ("storage.create:/foo/bar", "create", "/foo", False),
    ("storage.create:/foo/bar", "create", "/foo/bargain", False),
    ("storage.create:/foo/bar/", "create", "/foo/bar", False),
    ("storage.create:/foo/bar/", "create", "/foo/bar/", True),
    ("storage.create:/foo/bar/", "create", "/foo/bar/qux", True),
    ("storage.read:/", "read", "/", True),
    ("storage.read:/", "read", "/anything/at/all", True),
    ("storage.modify:/a", "create", "/a/b", True),
    ("storage.create:/a", "modify", "/a/b", False),
    ("storage.stage:/a", "read", "/a/b", False),
    ("storage.stage:/a", "poll", "/a/b", True),
    ("storage.poll:/a", "stage", "/a/b", False),
    ("storage.create:/a", "stat", "/a/b", True),
    ("storage.poll:/a", "stat", "/a/b", False),
    ("storage.read:/a%20b", "read", "/a b/c", True),
    ("storage.read:/a%2Fb", "read", "/a/b", False),
    ("storage.read:/a", "read", "/a/../b", False),
    ("storage.read:/a", "read", "/a//b", False),
    ("storage.read:/a", "read", "a", False),
    ("storage.read:/A", "read", "/a", False),
    ("compute.read:/a", "read", "/a", False),
    ("storage.read", "read", "/a", False),
]


@pytest.mark.parametrize(("scope", "action", "path", "allowed"), PROFILE)
def test_storage_scopes_follow_the_profile(scope: str, action: str, path: str, allowed: bool) -> None:
    assert storage_allows({scope}, action, path) is allowed


@pytest.mark.parametrize(
    "scope",
    ["storage.read", "storage.read:", "storage.read:a", "storage.read:/a/../b", "storage.read:/a//b",
     "storage.read://", "storage.read:/%2e%2e/a", "storage.read:/%ff", "storage.read:/%00"],
)  # fmt: skip
def test_a_storage_scope_without_a_usable_path_is_malformed(scope: str) -> None:
    with pytest.raises(MalformedScopeError):
        parse_storage_scope(scope)


@pytest.mark.parametrize("scope", [*Scope, "storage.delete:/a", "compute.create", "openid", "storage"])
def test_other_scopes_are_not_about_storage(scope: str) -> None:
    assert parse_storage_scope(scope) is None


SEGMENT = st.sampled_from(["a", "ab", "abc", "b", "ü", "a b", "%"])
PATH = st.builds(
    lambda segments, slash: "/" + "/".join(segments) + ("/" if slash and segments else ""),
    st.lists(SEGMENT, max_size=3),
    st.booleans(),
)
CAPABILITY = st.sampled_from(["read", "create", "modify", "stage", "poll"])


def reference(scopes: list[tuple[str, str]], action: str, path: str) -> bool:
    """The rules again, over text: a path matches itself and what continues it after a slash."""
    for capability, granted in scopes:
        stem = granted.rstrip("/")
        below = path.startswith(stem + "/")  # also the directory itself, written with its slash
        same_file = path == granted
        able = capability == action or (capability, action) in {("modify", "create"), ("stage", "poll")}
        if able and (below or same_file):
            return True
    return False


@given(st.lists(st.tuples(CAPABILITY, PATH), max_size=4), CAPABILITY, PATH)
def test_any_scopes_and_path_agree_with_the_reference(
    scopes: list[tuple[str, str]], action: str, path: str
) -> None:
    written = [f"storage.{capability}:{quote(granted)}" for capability, granted in scopes]
    assert storage_allows(written, StorageAction(action), path) is reference(scopes, action, path)


@given(st.text(), st.text())
def test_no_text_breaks_the_parser(scope: str, path: str) -> None:
    storage_allows([scope, f"storage.read:{scope}"], "read", path)
    covers([scope], f"storage.read:{path}")


@pytest.mark.parametrize(
    ("held", "wanted", "covered"),
    [
        ("dmp:write", "dmp:write", True),
        ("dmp:write", "dmp:publish", False),
        ("storage.read:/a", "storage.read:/a/b", True),
        ("storage.read:/a/b", "storage.read:/a", False),
        ("storage.read:/a/", "storage.read:/a", False),
        ("storage.modify:/a", "storage.create:/a/b/", True),
        ("storage.read:/", "storage.read:/", True),
        ("storage.read:/a", "storage.read", False),
        ("storage.modify:/a%20b", "storage.modify:/a%20b/c", True),
    ],
)
def test_a_narrower_scope_is_covered(held: str, wanted: str, covered: bool) -> None:
    assert covers({held}, wanted) is covered
