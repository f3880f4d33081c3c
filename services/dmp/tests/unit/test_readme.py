"""The README says what the code does."""

from pathlib import Path

import pytest
from indigo_contracts.registry import facts_of
from indigo_dmp.domain.readings import EVIDENCE
from indigo_dmp.settings import Settings
from indigo_kernel.settings import settings_table


@pytest.fixture(scope="module")
def readme() -> str:
    return (Path(__file__).parents[2] / "README.md").read_text()


def section(readme: str, name: str) -> str:
    return readme.split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_it_names_every_event(readme: str) -> None:
    for fact in facts_of("dmp"):
        assert f"`{fact.fact}`" in section(readme, "Events out")
    for fact in EVIDENCE:
        assert f"`{fact.fact}`" in section(readme, "Events in")


def test_it_has_the_settings(readme: str) -> None:
    assert section(readme, "Settings").strip() == settings_table(Settings)
