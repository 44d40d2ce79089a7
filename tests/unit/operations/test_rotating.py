"""Changing passwords: which, in which order, and where each one has to go."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from components.settings import State, layer_kinds
from operations import rotating
from operations.faults import OperationError
from operations.rotating import ADMINISTRATORS, BY_HAND, OUTSIDE, chosen
from operations.setup.checks import SetupError

KNOWN = [secret for kind in layer_kinds().values() for secret in kind.secrets]


class World:
    """A stack, a daemon and a `pulumi` that remember what was done to them, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, state: str = "running", servers: str = "running") -> None:
        self.done: list[str] = []
        self.values: dict[str, str] = {}
        self.console = Console(file=StringIO(), width=250)
        containers = [SimpleNamespace(labels={"clinical.service": name}, status=servers, name=name)
                      for name in ("postgres-mlflow", "postgres-airflow", "redis")]
        for name, value in {
                "connect": lambda: None, "open_stack": lambda name: self, "settings_of": lambda stack: None,
                "wanted": lambda stack: {"infrastructure": State(state), "ml": State.RUNNING, "storage": State.STOPPED},
                "found": lambda client, name: containers, "pulumi": self.pulumi, "environment": lambda folder: {},
                "run_inside": self.run_inside, "apply": lambda stack, console: self.done.append("up"),
                "declared": lambda stack: SimpleNamespace(services={}),
                "wait_until_up": lambda *args: self.done.append(f"wait for {', '.join(args[3])}")}.items():
            monkeypatch.setattr(rotating, name, value)

    def pulumi(self, arguments: list[str], folder: Any, environment: Any, text: str) -> str:
        """Keeps a value; it comes through standard input."""
        secret = arguments[-1].removeprefix("clinical:secrets.")
        assert "--secret" in arguments and "--path" in arguments and text not in " ".join(arguments)
        self.values[secret] = text
        self.done.append(f"write {secret}")
        return ""

    def run_inside(self, server: Any, command: list[str], given: list[bytes], take: Any) -> None:
        """Tells a server; what is told stands in no command."""
        value = next(value for value in self.values.values() if value.encode() in b"".join(given))
        assert value not in " ".join(command) and command[0] == "psql"
        self.done.append(f"tell {server.name}")

    def shown(self) -> str:
        """What the user was told."""
        return cast(StringIO, self.console.file).getvalue()


def test_every_secret_can_be_changed_or_says_why_not() -> None:
    """All but those that need a hand; each exception is a secret that there is."""
    assert chosen([], every=True) == [name for name in KNOWN if name not in BY_HAND]
    assert {*BY_HAND, *ADMINISTRATORS, *OUTSIDE} <= set(KNOWN)


def test_one_is_changed_by_its_name() -> None:
    """Named ones alone, each once."""
    assert chosen(["redis", "minio-root", "redis"], every=False) == ["redis", "minio-root"]


@pytest.mark.parametrize(("names", "words"), [
    (["rediss"], "there is no secret rediss"), (["airflow-fernet"], "would have to be encrypted anew"), ([], "name secrets")])
def test_what_cannot_be_changed_is_refused(names: list[str], words: str) -> None:
    """Nothing is changed by mistake: a wrong name, one that needs a hand, or none."""
    with pytest.raises(OperationError, match=words):
        chosen(names, every=False)


def test_an_administrator_s_password_is_told_to_its_server_before_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others first; each administrator's right before its server hears it; then the update, and all that runs gets healthy."""
    world = World(monkeypatch)
    rotating.rotate("dev", ["postgres-mlflow-admin", "redis"], world.console)
    assert world.done == ["write redis", "write postgres-mlflow-admin", "tell postgres-mlflow", "up", "wait for infrastructure, ml"]
    assert all(len(value) == 32 and value.isalnum() for value in world.values.values())
    assert len(set(world.values.values())) == 2


def test_no_value_is_shown_and_who_has_it_outside_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user learns whom to tell, and how to read the value, not the value."""
    world = World(monkeypatch)
    rotating.rotate("dev", ["redis", "serving-key-clinic"], world.console)
    assert "serving-key-clinic is new for whoever asks model-serving" in world.shown()
    assert "redis" not in world.shown()
    assert not any(value in world.shown() for value in world.values.values())


@pytest.mark.parametrize(("state", "servers"), [("stopped", "running"), ("running", "exited")])
def test_nothing_is_changed_while_a_store_could_not_be_told(monkeypatch: pytest.MonkeyPatch, state: str, servers: str) -> None:
    """A configuration that its stores do not know would fail with the next update."""
    world = World(monkeypatch, state, servers)
    with pytest.raises(OperationError, match=r"could not be told.*infrastructure start --stack dev"):
        rotating.rotate("dev", ["postgres-airflow-admin"], world.console)
    assert world.done == []


def test_an_engine_s_refusal_is_answered_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every command does; there is no update then."""
    world = World(monkeypatch)

    def refuse(*_: Any) -> str:
        raise SetupError("`pulumi config set` failed: incorrect passphrase")

    monkeypatch.setattr(rotating, "pulumi", refuse)
    with pytest.raises(OperationError, match="incorrect passphrase"):
        rotating.rotate("dev", ["redis"], world.console)
    assert world.done == []
