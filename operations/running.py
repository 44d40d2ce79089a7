"""What the commands of one layer begin with: the stack's settings, and that the layer runs."""

from __future__ import annotations

from components.settings import LayerSettings, Settings, State
from operations.faults import OperationError
from operations.stack import open_stack, settings_of


def settings_while_running(kind: type[LayerSettings], name: str) -> Settings:
    """The settings of the stack. Raises OperationError unless the layer is wanted to run."""
    settings = settings_of(open_stack(name))
    layer = settings.of(kind)
    if layer.state is not State.RUNNING:
        raise OperationError(f"{layer.layer} is {layer.state}, so it has nothing to say; "
                             f"`./pipeline {layer.layer} start --stack {name}` starts it")
    return settings
