"""Keys, rates, held bytes, the ledger and settings, each by itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest

from applications.ingestion.gateway import ledger as ledgers
from applications.ingestion.gateway.ledger import Ledger
from applications.ingestion.gateway.limits import OVERHEAD_BYTES, Full, Held, Rate
from applications.ingestion.gateway.settings import GatewaySettings
from applications.runtime import settings
from applications.runtime.api_keys import ApiKeys, NoKey, WrongKey
from tests.unit.ingestion.gateway_fakes import run

ONE, TWO = "a" * 16, "b" * 16


def test_a_client_may_have_several_keys_and_each_is_its_own() -> None:
    keys = ApiKeys(f"# clients\nward:{ONE}\n\n  ward:{TWO}  \nlab:{'c' * 16}\n")
    assert keys.clients == {"ward", "lab"}
    assert [keys.client({"x-api-key": key}) for key in (ONE, TWO, "c" * 16)] == ["ward", "ward", "lab"]
    with pytest.raises(WrongKey):
        keys.client({"x-api-key": ONE[:-1]})
    with pytest.raises(NoKey):
        keys.client({"authorization": f"Digest {ONE}"})


def test_a_key_may_hold_a_colon_and_any_character_can_be_shown() -> None:
    assert ApiKeys("ward:with:colons:in:it").client({"authorization": "bearer with:colons:in:it"}) == "ward"
    with pytest.raises(WrongKey):
        ApiKeys(f"ward:{ONE}").client({"x-api-key": "é\udcff"})


@pytest.mark.parametrize(("text", "words"), [
    ("", "no key"), ("# only words", "no key"), (f"ward:{ONE}\nlab", "line 2"), (f":{ONE}", "line 1"), ("ward:", "line 1"),
    ("Ward:" + ONE, "line 1"), ("ward:short-key", "shorter"), (f"ward:{ONE}\nlab:{ONE}", "another client's")])
def test_a_wrong_line_is_named_and_the_key_is_not(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        ApiKeys(text)
    assert ONE not in str(caught.value) and "short-key" not in str(caught.value)


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    now = 100.0
    rate = Rate(8, 3, lambda: now)
    assert [rate.take("a") for _ in range(4)] == [0, 0, 0, 0.125]
    assert rate.take("b") == 0
    now += 0.125
    assert [rate.take("a") > 0 for _ in range(2)] == [False, True]
    now += 3600
    assert [rate.take("a") > 0 for _ in range(4)] == [False, False, False, True]


def test_held_bytes_are_given_back_whatever_happens() -> None:
    held = Held(OVERHEAD_BYTES + 100)
    with pytest.raises(Full), held.request() as holding:
        holding.grow(60)
        holding.grow(60)
    with held.request() as holding:
        holding.grow(100)
        with pytest.raises(Full), held.request():
            pytest.fail("there is no room for another")
    with held.request() as holding:
        holding.grow(100)


def test_the_ledger_knows_what_was_written_and_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        ledger = Ledger(tmp_path / "ledger.sqlite")
        ids = [uuid4() for _ in range(1200)]
        for one in ids[:3]:
            await ledger.add(one)
            await ledger.add(one)
        assert ledger.known(ids) == set(ids[:3])
        await ledger.close()

    run(scenario())


def test_ids_are_forgotten_after_their_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        ledger = Ledger(tmp_path / "ledger.sqlite")
        old, young = [uuid4() for _ in range(25)], uuid4()
        today = ledgers.today()
        monkeypatch.setattr(ledgers, "PURGE_CHUNK", 10)
        monkeypatch.setattr(ledgers, "today", lambda: today - 8)
        for one in old:
            await ledger.add(one)
        monkeypatch.setattr(ledgers, "today", lambda: today - 7)
        await ledger.add(young)
        monkeypatch.setattr(ledgers, "today", lambda: today)
        assert await ledger.purge(7) == 25
        assert ledger.known([*old, young]) == {young}
        await ledger.close()

    run(scenario())


def test_a_checkpoint_empties_a_long_log_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        path = tmp_path / "ledger.sqlite"
        ledger = Ledger(path)
        one = uuid4()
        await ledger.add(one)
        log = path.with_name("ledger.sqlite-wal")
        assert log.stat().st_size > 0
        monkeypatch.setattr(ledgers, "LONG_LOG_PAGES", 0)
        await ledger.checkpoint()
        assert log.stat().st_size == 0 and ledger.fault is None
        assert ledger.known([one]) == {one}
        await ledger.close()

    run(scenario())


def test_a_damaged_ledger_is_found_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Ledger(tmp_path / "ledger.sqlite")


def given_settings(folder: Path, monkeypatch: pytest.MonkeyPatch, keys: str, **changes: str) -> None:
    """Sets what the gateway is told."""
    (folder / "api_keys").write_text(keys)
    (folder / "amqp_password").write_text("mq-password\n")
    for name, value in {"kafka_bootstrap": "kafka:29092", "amqp_host": "clinical-mq", **changes}.items():
        monkeypatch.setenv(name.upper(), value)


def test_secrets_are_files_and_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_settings(tmp_path, monkeypatch, f"ward:{ONE}\n", rate_per_second="250")
    found = settings.load(GatewaySettings, tmp_path)
    assert found.amqp_password.get_secret_value() == "mq-password"
    assert (found.rate_per_second, found.http_port, found.mllp_port) == (250, 8000, 2575)
    assert "mq-password" not in repr(found) and ONE not in repr(found)


def test_every_wrong_setting_is_named_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    given_settings(tmp_path, monkeypatch, f"ward:{ONE}\nlab:{ONE}", http_port="0", max_body_bytes="1e9")
    with pytest.raises(SystemExit) as caught:
        settings.load(GatewaySettings, tmp_path)
    said = capsys.readouterr().err
    assert caught.value.code == settings.WRONG_SETTINGS
    for name in ("API_KEYS", "HTTP_PORT", "MAX_BODY_BYTES"):
        assert name in said
    assert ONE not in said
