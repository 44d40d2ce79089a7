"""What a stack tells the policy pack: how strict it is, and where ports may be published.

The engine hands the pack no configuration of the stack, only a file (`--policy-pack-config`). Without one every rule is
mandatory and ports belong on the loopback address.
"""

from __future__ import annotations

import json
from pathlib import Path

LOCAL = "container-local"


def write_configuration(file: Path, level: str, bind_address: str) -> Path:
    """Writes the file for `--policy-pack-config`: `level` is mandatory or advisory. Returns its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"all": level, LOCAL: {"enforcementLevel": level, "bindAddress": bind_address}}, indent=2) + "\n")
    return file
