from __future__ import annotations

from pathlib import Path

from indigo_pid.citation.formats import BY_MEDIA_TYPE, BY_NAME, FORMATS


def test_a_media_type_belongs_to_one_format():
    named = [media_type for one in FORMATS for media_type in one.media_types]
    assert len(named) == len(set(named)) == len(BY_MEDIA_TYPE)
    assert all(media_type == media_type.lower() for media_type in named)
    assert len(BY_NAME) == len(FORMATS) + len(named)


def test_the_readme_has_the_formats():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for one in FORMATS:
        types = ", ".join(f"`{media_type}`" for media_type in one.media_types)
        assert f"| `{one.name}` | {types}" in readme
