"""Starting brings what is needed, stopping takes what depends, and never the other way round."""

from __future__ import annotations

from typing import ClassVar

import pytest

from components.settings import LayerSettings, State
from operations.stack import dependents_of, explained, needed_by, plan

R, S, A = State.RUNNING, State.STOPPED, State.ABSENT


class Base(LayerSettings):
    """Needs nothing."""

    layer: ClassVar[str] = "base"


class Middle(LayerSettings):
    """Needs the base."""

    layer: ClassVar[str] = "middle"
    needs: ClassVar[tuple[str, ...]] = ("base",)


class Side(LayerSettings):
    """Needs the base, too."""

    layer: ClassVar[str] = "side"
    needs: ClassVar[tuple[str, ...]] = ("base",)


class Top(LayerSettings):
    """Needs the middle, and through it the base."""

    layer: ClassVar[str] = "top"
    needs: ClassVar[tuple[str, ...]] = ("middle",)


KINDS: dict[str, type[LayerSettings]] = {kind.layer: kind for kind in (Base, Middle, Side, Top)}
PLANS = [
    (["top"], R, dict.fromkeys(KINDS, S), ["base", "middle", "top"]),
    (["side"], R, dict.fromkeys(KINDS, S), ["base", "side"]),
    (["top"], R, {"base": R, "middle": S, "side": R, "top": S}, ["middle", "top"]),
    (["top"], R, dict.fromkeys(KINDS, R), []),
    (["base"], S, dict.fromkeys(KINDS, R), ["top", "side", "middle", "base"]),
    (["middle"], S, dict.fromkeys(KINDS, R), ["top", "middle"]),
    (["top"], S, dict.fromkeys(KINDS, R), ["top"]),
    (["base"], S, {"base": R, "middle": S, "side": A, "top": A}, ["base"]),
    (["base"], A, {"base": S, "middle": S, "side": A, "top": A}, ["middle", "base"]),
]


@pytest.mark.parametrize(("layers", "state", "now", "changed"), PLANS)
def test_plan(layers: list[str], state: State, now: dict[str, State], changed: list[str]) -> None:
    """What has to change, in order, and nothing that is so already."""
    assert plan(layers, state, now, KINDS) == dict.fromkeys(changed, state)
    assert list(plan(layers, state, now, KINDS)) == changed


def test_needs_and_dependents_are_found_through_others() -> None:
    """The top needs the base although it names the middle alone."""
    assert needed_by("top", KINDS) == ["base", "middle"] and needed_by("base", KINDS) == []
    assert dependents_of("base", KINDS) == ["top", "side", "middle"] and dependents_of("top", KINDS) == []


@pytest.mark.parametrize(("text", "advice"), [
    ("error: no stack named 'x' found", "make up STACK=x"), ("error: incorrect passphrase", "PULUMI_CONFIG_PASSPHRASE_FILE"),
    ("error: the stack is currently locked by 1 lock(s)", "pulumi cancel"),
    ("error: Cannot connect to the Docker daemon at unix", "make up"),
    ("error: container failed to be in healthy state", "logs"), ("error: port is already allocated", "portOffset")])
def test_an_expected_failure_says_what_to_do(text: str, advice: str) -> None:
    """The engine's own words, and the next step."""
    message = str(explained(RuntimeError(text), "x"))
    assert message.startswith(text) and advice in message.partition("What to do: ")[2]
