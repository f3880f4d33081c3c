"""URLs and names of databases, without a server."""

import pytest
from indigo_dev.databases import database_name, database_url, libpq_url, quoted


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_of_the_scheme_becomes_sqlalchemys(scheme):
    url = database_url(f"{scheme}://me:secret@db.example:5433/postgres", "plans")
    assert url == "postgresql+asyncpg://me:secret@db.example:5433/plans"


def test_a_socket_directory_stays_in_the_url():
    url = database_url("postgresql://postgres@/postgres?host=/var/run/a%20b", "plans")
    assert url == "postgresql+asyncpg://postgres@/plans?host=/var/run/a+b"
    assert libpq_url(url) == "postgresql://postgres@/plans?host=/var/run/a+b"


def test_tls_is_spelled_the_way_each_reader_knows_it():
    url = database_url("postgresql://db.example/x?sslmode=require", "plans")
    assert url == "postgresql+asyncpg://db.example/plans?ssl=require"
    assert libpq_url(url) == "postgresql://db.example/plans?sslmode=require"


def test_a_url_without_a_database_names_the_maintenance_database():
    assert database_name("postgresql://db.example") == "postgres"


def test_another_scheme_is_refused():
    with pytest.raises(ValueError, match="mysql"):
        libpq_url("mysql://db.example/x")


@pytest.mark.parametrize("name", ["", "Upper", 'quote"', "9lives", "semi;colon", "a" * 64])
def test_a_name_that_needs_care_is_refused(name):
    with pytest.raises(ValueError, match="not a database name"):
        quoted(name)


def test_a_plain_name_is_quoted():
    assert quoted("indigo_dmp") == '"indigo_dmp"'
