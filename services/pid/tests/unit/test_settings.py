from __future__ import annotations

from pathlib import Path

import pytest
from indigo_kernel.settings import settings_table
from indigo_pid.settings import Settings
from pydantic import ValidationError

REQUIRED = {
    "database_url": "postgresql+asyncpg://localhost/pid",
    "public_url": "https://pid.example.org/",
    "secret_key": "not so secret",
}


def test_without_a_registrar_there_is_the_sandbox():
    settings = Settings(**REQUIRED)
    assert settings.registrar_url == "https://pid.example.org/registrar"
    assert len(settings.registrar_password) == 64
    assert settings.registrar_password != Settings(**{**REQUIRED, "secret_key": "another"}).registrar_password


def test_a_registrar_needs_a_password():
    with pytest.raises(ValidationError, match="INDIGO_PID_DATACITE_PASSWORD"):
        Settings(**REQUIRED, datacite_url="https://api.test.datacite.org")


def test_test_names_do_not_reach_datacite():
    real = {"datacite_url": "https://api.datacite.org/", "datacite_password": "x"}
    with pytest.raises(ValidationError, match="INDIGO_PID_DOI_PREFIX"):
        Settings(**REQUIRED, **real)
    assert Settings(**REQUIRED, **real, doi_prefix="10.14454").registrar_url == "https://api.datacite.org"


def test_each_prefix_has_a_registrar():
    settings = Settings(**REQUIRED, doi_kinds={"dmp": "10.5555"}, doi_registrars={"10.5555": "crossref"})
    assert (settings.datacite_prefixes, settings.crossref_prefixes) == ({"10.5072"}, {"10.5555"})
    assert settings.crossref_deposit_url == settings.crossref_list_url == "https://pid.example.org/crossref"
    assert Settings(**REQUIRED, doi_registrars={"10.5072": "crossref"}).datacite_prefixes == set()


def test_crossref_needs_a_secret_file_and_an_address(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("one\n")
    real = {"crossref_url": "https://doi.crossref.org", "doi_registrars": {"10.5555": "crossref"}}
    with pytest.raises(ValidationError, match="INDIGO_PID_CROSSREF_PASSWORD_FILE"):
        Settings(**REQUIRED, **real)
    with pytest.raises(ValidationError, match="INDIGO_PID_CROSSREF_EMAIL"):
        Settings(**REQUIRED, **real, crossref_password_file=secret)
    whole = {**real, "crossref_password_file": secret, "crossref_email": "ops@example.org"}
    settings = Settings(**REQUIRED, **whole)
    assert (settings.crossref_deposit_url, settings.crossref_password()) == ("https://doi.crossref.org", "one")
    assert settings.crossref_list_url == "https://api.crossref.org"
    secret.write_text("two")
    assert settings.crossref_password() == "two"
    with pytest.raises(ValidationError, match="test prefix"):
        Settings(**REQUIRED, **{**whole, "doi_registrars": {"10.5072": "crossref"}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"handle_prefix": "x"},
        {"doi_prefix": "11.5"},
        {"naan": "aeiou"},
        {"doi_kinds": {"dmp": "5555"}},
        {"doi_kinds": {"thing": "10.5555"}},
        {"doi_registrars": {"10.5555": "other"}},
        {"doi_registrars": {"x": "crossref"}},
        {"crossref_email": "nobody"},
    ],
)
def test_prefixes_have_their_form(wrong):
    with pytest.raises(ValidationError):
        Settings(**REQUIRED, **wrong)


def test_the_readme_has_the_settings():
    readme = Path(__file__).parents[2] / "README.md"
    assert settings_table(Settings) in readme.read_text(encoding="utf-8")
