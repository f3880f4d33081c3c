"""The README says what the code does."""

from pathlib import Path

from indigo_kernel.settings import settings_table
from indigo_repository.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_the_settings_are_those_of_the_code():
    assert README.rstrip().endswith(settings_table(Settings).rstrip())
