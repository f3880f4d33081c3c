"""The layout and what keeps a page safe."""

import base64
import hashlib
import json
import re
import sys

import pytest
from indigo_ui import Pages
from indigo_ui.pages import human_size, json_block
from jinja2 import UndefinedError


@pytest.fixture
def pages(tmp_path, monkeypatch):
    package = tmp_path / "ui_test_package"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "templates" / "page.html").write_text(
        '{% extends "layout.html" %}{% import "macros.html" as ui %}'
        "{% block main %}<h1>{{ title }}</h1>{{ ui.link(url, url) }}{% endblock %}"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield Pages("ui_test_package")
    sys.modules.pop("ui_test_package", None)


def test_text_is_escaped_and_only_web_addresses_become_links(pages):
    body = pages.response("page.html", {"title": "<script>x", "url": "javascript:alert(1)"}).body.decode()
    assert "<script>x" not in body
    assert "&lt;script&gt;x" in body
    assert 'href="javascript' not in body


def test_the_policy_names_the_hash_of_the_style_sheet_in_the_page(pages):
    answer = pages.response("page.html", {"title": "t", "url": "https://example.org/"})
    style = re.search(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy  # default-src 'none' holds for scripts


def test_a_forgotten_name_is_an_error(pages):
    with pytest.raises(UndefinedError):
        pages.response("page.html", {"title": "t"})


def test_json_cannot_end_its_script_element():
    value = {"name": "</script><script>alert(1)</script>\u2028"}
    block = json_block(value)
    assert "<" not in block
    assert json.loads(block) == value


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (10**13, "10.0 TB")])
def test_sizes(size, text):
    assert human_size(size) == text
