import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from fastapi import FastAPI
from indigo_kernel.auth import api_keys
from indigo_kernel.auth.api_key_routes import api_key_routes
from indigo_kernel.auth.api_keys import MAX_LIFETIME, ApiKeys
from indigo_kernel.auth.dependency import Authenticator, Who
from indigo_kernel.auth.principal import ANONYMOUS, Principal
from indigo_kernel.auth.tokens import InvalidToken, TokenVerifier
from indigo_kernel.clock import ManualClock
from indigo_kernel.db.tables import kernel_tables
from indigo_kernel.problems import Conflict, Forbidden, InvalidBody, NotFound, Unauthenticated
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

DAY = timedelta(days=1)
ADA = Principal(
    "https://issuer.example", "ada", frozenset({"dmp:write", "storage.read:/a"}), frozenset({"/lifewatch"})
)


@pytest_asyncio.fixture(scope="session")
async def engine(make_database: Any) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(await make_database("api_keys"))
    metadata = sa.MetaData()
    kernel_tables(metadata)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()


@pytest_asyncio.fixture
async def keys(engine: AsyncEngine, clock: ManualClock) -> ApiKeys:
    async with engine.begin() as connection:
        await connection.execute(sa.text("TRUNCATE api_keys"))
    return ApiKeys(engine, clock)


async def stored(engine: AsyncEngine) -> list[dict[str, Any]]:
    async with engine.connect() as connection:
        rows = await connection.execute(sa.text("SELECT * FROM api_keys"))
        return [dict(row) for row in rows.mappings()]


async def test_a_key_acts_for_its_owner(keys: ApiKeys, engine: AsyncEngine, clock: ManualClock) -> None:
    info, key = await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + DAY, note="portal")
    assert re.fullmatch(r"indigo_[0-9A-Za-z]{8}_[0-9A-Za-z]{40}", key)
    who = await keys.authenticate(key)
    assert (who.iss, who.sub, who.via) == (ADA.iss, "ada", "api-key")
    assert (set(who.scopes), set(who.groups)) == ({"dmp:write"}, {"/lifewatch"})
    secret = key.rpartition("_")[2]
    assert all(secret not in str(row) for row in await stored(engine))
    assert [each.id for each in await keys.live(ADA)] == [info.id]


async def test_only_the_whole_key_counts(keys: ApiKeys, clock: ManualClock) -> None:
    _, key = await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + DAY)
    _, other = await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + DAY)
    prefix, secret = key.rsplit("_", 1)
    swapped = f"{prefix}_{other.rsplit('_', 1)[1]}"
    flipped = f"{prefix}_{'A' if secret[0] != 'A' else 'B'}{secret[1:]}"
    for wrong in (swapped, flipped, key[:-1], key + "A", f"indigo_AAAAAAAA_{secret}", "indigo_", key + "\n"):
        with pytest.raises(InvalidToken):
            await keys.authenticate(wrong)


async def test_a_key_expires(keys: ApiKeys, clock: ManualClock) -> None:
    _, key = await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + DAY)
    clock.advance(DAY - timedelta(seconds=1))
    await keys.authenticate(key)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(InvalidToken, match="expired"):
        await keys.authenticate(key)
    assert await keys.live(ADA) == []


async def test_a_revoked_key_is_dead_at_once(keys: ApiKeys, clock: ManualClock) -> None:
    info, key = await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + DAY)
    await keys.authenticate(key)
    await keys.revoke(ADA, info.id)
    with pytest.raises(InvalidToken):
        await keys.authenticate(key)
    with pytest.raises(NotFound):
        await keys.revoke(ADA, info.id)
    assert await keys.live(ADA) == []


async def test_keys_of_others_do_not_exist(keys: ApiKeys, clock: ManualClock) -> None:
    info, key = await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + DAY)
    namesake = Principal("https://other.example", "ada", frozenset({"dmp:write"}))
    assert await keys.live(namesake) == []
    with pytest.raises(NotFound):
        await keys.revoke(namesake, info.id)
    await keys.authenticate(key)


async def test_use_is_noted_once_a_minute(keys: ApiKeys, engine: AsyncEngine, clock: ManualClock) -> None:
    _, key = await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + DAY)
    first = clock.now()
    noted = []
    for _ in range(3):
        await keys.authenticate(key)
        noted.append((await stored(engine))[0]["last_used_at"])
        clock.advance(timedelta(seconds=30))
    assert noted == [first, first, first + timedelta(minutes=1)]


@pytest.mark.parametrize("away", [timedelta(0), -DAY, MAX_LIFETIME + timedelta(seconds=1)])
async def test_the_expiry_lies_within_a_year(away: timedelta, keys: ApiKeys, clock: ManualClock) -> None:
    await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + MAX_LIFETIME)
    with pytest.raises(InvalidBody) as caught:
        await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + away)
    assert caught.value.errors[0].pointer == "/expires_at"


async def test_a_key_has_no_more_than_its_owner(keys: ApiKeys, clock: ManualClock) -> None:
    until = clock.now() + DAY
    await keys.create(ADA, scopes=["storage.read:/a/b"], expires_at=until)
    for scope in ("operator", "storage.read:/", "storage.modify:/a", "storage.read"):
        with pytest.raises(Forbidden):
            await keys.create(ADA, scopes=["dmp:write", scope], expires_at=until)
    with pytest.raises(Unauthenticated):
        await keys.create(ANONYMOUS, scopes=[], expires_at=until)


async def test_a_key_makes_no_keys(keys: ApiKeys, clock: ManualClock) -> None:
    _, key = await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + DAY)
    with pytest.raises(Forbidden):
        await keys.create(await keys.authenticate(key), scopes=["dmp:write"], expires_at=clock.now() + 2 * DAY)


async def test_there_is_a_limit_per_owner(
    keys: ApiKeys, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "MAX_LIVE_KEYS", 2)
    until = clock.now() + DAY
    first, _ = await keys.create(ADA, scopes=["dmp:write"], expires_at=until)
    await keys.create(ADA, scopes=["dmp:write"], expires_at=until)
    with pytest.raises(Conflict):
        await keys.create(ADA, scopes=["dmp:write"], expires_at=until)
    await keys.revoke(ADA, first.id)
    await keys.create(ADA, scopes=["dmp:write"], expires_at=until)


@pytest.fixture
def served(app: FastAPI, keys: ApiKeys, verifier: TokenVerifier) -> None:
    app.state.authenticator = Authenticator(verifier, keys)
    app.include_router(api_key_routes("dmp"))

    @app.get("/whoami")
    async def whoami(who: Who) -> dict[str, str]:
        return {"sub": who.sub, "via": who.via}


@pytest.mark.usefixtures("served")
async def test_the_whole_life_over_http(browser: httpx.AsyncClient, signer: Any, clock: ManualClock) -> None:
    token = {"authorization": f"Bearer {signer.token(scope='dmp:write', exp=int(clock.now().timestamp()) + 60)}"}
    wish = {"scopes": ["dmp:write"], "expires_at": (clock.now() + DAY).isoformat(), "note": "portal"}
    made = await browser.post("/api-keys", json=wish, headers=token)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert made.headers["location"] == f"/api-keys/{made.json()['id']}"
    key = made.json()["key"]
    for header in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}):
        assert (await browser.get("/whoami", headers=header)).json() == {"sub": "ada", "via": "api-key"}
    listed = (await browser.get("/api-keys", headers=token)).json()["items"]
    assert [(each["prefix"], each["note"]) for each in listed] == [(key[7:15], "portal")]
    assert listed[0]["last_used_at"] is not None
    assert "key" not in listed[0]
    assert (await browser.delete(f"/api-keys/{listed[0]['id']}", headers=token)).status_code == 204
    gone = await browser.get("/whoami", headers={"x-api-key": key})
    assert gone.status_code == 401
    assert 'error="invalid_token"' in gone.headers["www-authenticate"]
    assert (await browser.delete(f"/api-keys/{listed[0]['id']}", headers=token)).status_code == 404


@pytest.mark.usefixtures("served")
async def test_nobody_has_no_keys(browser: httpx.AsyncClient, clock: ManualClock) -> None:
    wish = {"scopes": ["dmp:write"], "expires_at": (clock.now() + DAY).isoformat()}
    for answer in (
        await browser.post("/api-keys", json=wish),
        await browser.get("/api-keys"),
        await browser.delete("/api-keys/x"),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.usefixtures("served")
async def test_a_key_is_a_basic_password_only_where_that_is_allowed(
    app: FastAPI, browser: httpx.AsyncClient, keys: ApiKeys, verifier: TokenVerifier, clock: ManualClock
) -> None:
    _, key = await keys.create(ADA, scopes=["dmp:write"], expires_at=clock.now() + DAY)
    basic = httpx.BasicAuth("whoever", key)
    assert (await browser.get("/whoami", auth=basic)).status_code == 401
    app.state.authenticator = Authenticator(verifier, keys, basic=True)
    assert (await browser.get("/whoami", auth=basic)).json() == {"sub": "ada", "via": "api-key"}
    for wrong in ("Basic", "Basic !", "Basic " + "A" * 10_000, f"Basic {key}"):
        assert (await browser.get("/whoami", headers={"authorization": wrong})).status_code == 401
    assert (await browser.get("/whoami", auth=httpx.BasicAuth("whoever", key[:-1] + "!"))).status_code == 401
