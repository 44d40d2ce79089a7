"""Asking a service that publishes no port: from inside its own container."""

from __future__ import annotations

import json

import docker
from docker.errors import NotFound

MONITOR_PORT = 8080
SECONDS = 5


def get(container: str, path: str, port: int = MONITOR_PORT) -> tuple[int, str]:
    """Status and body of GET `path` on the container's own loopback address. Raises RuntimeError where nothing answers."""
    # Bash asks, since images share no HTTP client.
    ask = (f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && cat <&3")
    client = docker.from_env(timeout=SECONDS)
    try:
        status, output = client.containers.get(container).exec_run(["bash", "-c", ask])
    except NotFound:
        raise RuntimeError("there is no container") from None
    finally:
        client.close()
    text = output.decode(errors="replace") if isinstance(output, bytes) else ""
    if status != 0 or not text.startswith("HTTP/"):
        raise RuntimeError(f"nothing answers on port {port} of {container}")
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    return int(head.split()[1]), body


def health(container: str, port: int = MONITOR_PORT) -> str:
    """What an application of ours says of itself. Raises RuntimeError with the checks that fail."""
    status, body = get(container, "/health", port)
    checks = json.loads(body).get("checks", {})
    wrong = [f"{name}: {words}" for name, words in checks.items() if words != "ok"]
    if status != 200:
        raise RuntimeError("; ".join(wrong) or f"answers {status}")
    return f"{len(checks)} checks: {', '.join(checks)}"
