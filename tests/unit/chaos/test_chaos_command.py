"""Rule: a run that cannot prove anything is refused before a stack is started, with what to do."""

from __future__ import annotations

import pytest

from components.settings import layer_kinds
from tests.chaos import __main__ as chaos
from tests.chaos.run import configuration


def test_the_command_line_says_what_runs() -> None:
    """As the Makefile passes it on."""
    given = chaos.arguments(["--seeds", "4", "5", "--faults", "9", "--layers", *chaos.BASE, "ml"])
    assert (given.seeds, given.faults, given.layers) == ([4, 5], 9, [*chaos.BASE, "ml"])
    assert chaos.arguments([]).seeds == [1, 2, 3] and chaos.arguments([]).faults == 20


@pytest.mark.parametrize(("words", "why"), [
    (["--layers", "infrastructure", "ingestion"], "lacks storage, processing"),
    (["--seeds", "1", "1"], "must be another one"),
    (["--seeds", "1", "2", "--faults", "1"], "at least one fault")])
def test_wrong_usage_ends_with_two(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what is wrong."""
    with pytest.raises(SystemExit) as ended:
        chaos.arguments(words)
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


def test_a_machine_that_cannot_make_faults_is_told_all_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lack at once, each with its remedy."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere")
    found = "\n".join(chaos.lacking())
    assert all(name in found for name in chaos.COMMANDS)
    assert "apt-get install" in found and "sudo make chaos" in found and "DOCKER_HOST" in found


def test_layers_that_are_not_named_are_absent() -> None:
    """A stack of chaos holds what is asked for, and nothing besides."""
    states = {key.removeprefix("layers."): value for key, value in configuration(chaos.BASE).items() if key.startswith("layers.")}
    assert states == {layer: "running" if layer in chaos.BASE else "absent" for layer in layer_kinds()}
