"""A shell completes layers, commands and options, from wherever the command is called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.settings import layer_kinds
from operations.stack import PROJECT_FOLDER
from tests.unit.pipeline.conftest import Command

ASK = """{script}
COMP_WORDS=({words})
COMP_CWORD={place}
_pipeline_completion ./pipeline
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(pipeline: Command, *words: str) -> list[str]:
    """What bash offers for the last word."""
    script = ASK.format(script=pipeline("completion", "bash").out, words=" ".join(f"'{word}'" for word in ("./pipeline", *words)),
                        place=len(words))
    done = subprocess.run(["bash", "-c", script], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_offers_layers_commands_and_options(pipeline: Command) -> None:
    """The layer's own commands among them."""
    assert set(layer_kinds()) | {"all"} <= set(completed(pipeline, ""))
    assert {"start", "train", "rollback"} <= set(completed(pipeline, "ml", ""))
    assert completed(pipeline, "infrastructure", "stop-") == ["stop-full"]
    assert "--dry-run" in completed(pipeline, "all", "start", "--d")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_call_the_command_by_its_path(pipeline: Command, shell: str) -> None:
    """It is not on the PATH."""
    done = pipeline("completion", shell)
    assert done.status == 0 and f"=complete_{shell} " in done.out and str(Path(PROJECT_FOLDER, "pipeline")) in done.out
