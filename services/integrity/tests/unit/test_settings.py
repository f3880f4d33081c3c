from __future__ import annotations

from pathlib import Path

from indigo_contracts.registry import facts_of
from indigo_integrity.settings import Settings
from indigo_kernel.settings import settings_table

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_has_the_settings() -> None:
    assert settings_table(Settings) in README.read_text(encoding="utf-8")


def test_the_readme_has_the_events_out() -> None:
    text = README.read_text(encoding="utf-8")
    stated = {model.fact for model in facts_of("integrity") if "certificate" not in model.fact}
    assert {fact for fact in stated if fact not in text} == set()
