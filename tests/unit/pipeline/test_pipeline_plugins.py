"""A layer that comes later plugs in with its own folder and module: nothing of the command changes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

import operations.layers
from components.settings import LayerSettings
from operations.plugins import module_of, probes_of
from tests.unit.pipeline.conftest import KNOWING_LAYERS, TWO_LAYERS, Command, World
from tests.unit.pipeline.fakes import container

MODULE = '''
import typer
from operations.probes import Probe

def probes(settings):
    yield Probe("queue", lambda: "3 messages")

def add_commands(group):
    @group.command()
    def topics() -> None:
        """Lists topics."""
        print("vitals")
'''


class Third(LayerSettings):
    """A layer above storage."""

    layer: ClassVar[str] = "third"
    needs: ClassVar[tuple[str, ...]] = ("storage",)


@pytest.fixture(autouse=True)
def third_layer(two_layers: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A third layer, with a module of its own."""
    kinds = {**TWO_LAYERS, "third": Third}
    for module in KNOWING_LAYERS:
        monkeypatch.setattr(module, "layer_kinds", lambda: kinds)
    (tmp_path / "third.py").write_text(MODULE)
    monkeypatch.setattr(operations.layers, "__path__", [*operations.layers.__path__, str(tmp_path)])


def test_a_new_layer_is_started_with_all_it_needs(world: World, pipeline: Command) -> None:
    """Lowest first."""
    fake, docker = world("stopped")
    docker.all[:] = [container("kafka")]
    fake.states["third"] = "stopped"
    assert pipeline("third", "start").status == 0
    assert fake.calls == ["set infrastructure running", "set storage running", "set third running", "up"]


def test_a_new_layer_is_stopped_with_what_it_stands_on(world: World, pipeline: Command) -> None:
    """Topmost first."""
    fake, _ = world()
    assert pipeline("infrastructure", "stop").status == 0
    assert fake.calls[:3] == ["set third stopped", "set storage stopped", "set infrastructure stopped"]


def test_a_layers_own_commands_are_its_own(pipeline: Command) -> None:
    """Found in its module, and not at other layers."""
    assert pipeline("third", "topics").out == "vitals\n"
    assert "topics" in pipeline("third", "--help").out
    assert pipeline("storage", "topics").status == 2


def test_a_layers_own_probes_are_asked(world: World, pipeline: Command) -> None:
    """Also by `all`."""
    world()
    assert "3 messages" in pipeline("third", "health").out


def test_a_layer_without_a_module_has_no_probes() -> None:
    """Nothing needs to be written for it."""
    assert module_of("nosuch") is None
    assert probes_of("nosuch", None) == []  # type: ignore[arg-type]
