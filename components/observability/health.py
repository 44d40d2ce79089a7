"""Health of software whose upstream image has no bash."""

from __future__ import annotations

from components.service import Health


def answers(port: int, path: str) -> Health:
    """Healthy when GET `path` succeeds; busybox's client asks, which the upstream images of Prometheus and its exporters have."""
    return Health(["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}{path}"])
