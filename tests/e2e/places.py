"""Where a client stands: on the host machine, or in a container on the platform's network."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e import probes
from tests.e2e.stack import Stack

INSIDE: Mapping[str, tuple[str, int]] = {
    "minio": ("minio", 9000),
    "postgres-mlflow": ("postgres-mlflow", 5432),
    "postgres-airflow": ("postgres-airflow", 5432),
    "redis": ("redis", 6379),
    "zookeeper": ("zookeeper", 2181),
    "kafka": ("kafka", 29092),
}
"""Host and port of each service on the network."""
PROBES_INSIDE = "/probes.py"


@dataclass(frozen=True)
class Place:
    """A place from which probes use a stack. `image` is that of the client container; None is the host itself."""

    stack: Stack
    image: str | None

    def address(self, service: str) -> tuple[str, int]:
        """Host and port of a service, as seen from here."""
        return ("127.0.0.1", self.stack.port(service)) if self.image is None else INSIDE[service]

    def joined(self, service: str) -> str:
        """The address of a service as `host:port`."""
        host, port = self.address(service)
        return f"{host}:{port}"

    def run(self, probe: str, **arguments: Any) -> Any:
        """Runs a probe here and returns what it found."""
        if self.image is None:
            return probes.PROBES[probe](**arguments)
        command = [
            "docker",
            "run",
            "--rm",
            "--interactive",
            "--network",
            self.stack.named("network"),
            "--label",
            f"clinical.stack={self.stack.name}",
            "--volume",
            f"{Path(probes.__file__).resolve()}:{PROBES_INSIDE}:ro",
            self.image,
            "python3",
            PROBES_INSIDE,
        ]
        done = subprocess.run(
            command,
            input=json.dumps({"probe": probe, "arguments": arguments}),
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, f"the probe {probe} failed on the network:\n{done.stderr[-3000:]}"
        return json.loads(done.stdout)
