"""The same services as a Compose file: what the platform is measured against."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"


def write_compose(state: Mapping[str, Any], folder: Path, project: str) -> Path:
    """Writes a Compose file of every container in a stack's exported state (secrets decrypted) into `folder`.

    What Pulumi uploads becomes a file that is mounted; health checks, limits and hardening are the same. Buckets,
    topics, users and databases have no equivalent and are left out, to Compose's advantage.
    """
    resources = opened(state["deployment"]["resources"])
    containers = [r["inputs"] for r in resources if r["type"] == CONTAINER]
    volumes: dict[str, dict[str, str]] = {r["inputs"]["name"]: {} for r in resources if r["type"] == VOLUME}
    names = {inputs["hostname"] for inputs in containers}
    services = {inputs["hostname"]: service(inputs, folder, dict(needs(inputs["hostname"], names))) for inputs in containers}
    file = folder / "docker-compose.yaml"
    file.write_text(yaml.safe_dump({"version": "2.4", "services": services, "volumes": volumes}))
    (folder / ".env").write_text(f"COMPOSE_PROJECT_NAME={project}\n")
    return file


def opened(value: Any) -> Any:
    """State with its decrypted secrets in their places."""
    if isinstance(value, dict):
        return opened(json.loads(value["plaintext"])) if "plaintext" in value else {k: opened(v) for k, v in value.items()}
    return [opened(inner) for inner in value] if isinstance(value, list) else value


def needs(name: str, names: set[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Which services this one waits for, as the platform's own graph has it."""
    for other in {"kafka": ("zookeeper",), "redis-insight": ("redis",)}.get(name, ()):
        if other in names:
            yield other, {"condition": "service_healthy"}


def service(inputs: Mapping[str, Any], folder: Path, after: dict[str, dict[str, str]]) -> dict[str, Any]:
    """One container as a Compose service."""
    check = inputs["healthcheck"]
    mounts = [f"{volume['volumeName']}:{volume['containerPath']}" for volume in inputs.get("volumes", [])]
    for index, upload in enumerate(inputs.get("uploads", [])):
        file = folder / inputs["hostname"] / f"{index}-{Path(upload['file']).name}"
        file.parent.mkdir(exist_ok=True)
        file.write_text(upload["content"])
        file.chmod(0o444)
        mounts.append(f"{file}:{upload['file']}:ro")
    return {
        "image": inputs["image"], "user": inputs["user"], "hostname": inputs["hostname"], "entrypoint": inputs["entrypoints"],
        "command": escaped(inputs.get("command", [])), "environment": inputs.get("envs", []), "volumes": mounts,
        "ports": [f"{port['ip']}:{port['external']}:{port['internal']}" for port in inputs.get("ports", [])],
        "tmpfs": [f"{path}:{options}" for path, options in inputs.get("tmpfs", {}).items()],
        "healthcheck": {"test": escaped(check["tests"]), "interval": check["interval"], "timeout": check["timeout"],
                        "retries": check["retries"], "start_period": check["startPeriod"]},
        "mem_limit": f"{inputs['memory']}m", "memswap_limit": f"{inputs['memorySwap']}m", "cpus": float(inputs["cpus"]),
        "cap_drop": ["ALL"], "security_opt": inputs["securityOpts"], "restart": inputs["restart"],
        "stop_signal": inputs["stopSignal"], "stop_grace_period": f"{inputs['stopTimeout']}s", "depends_on": after,
        "logging": {"driver": inputs["logDriver"], "options": inputs["logOpts"]}}


def escaped(words: list[str]) -> list[str]:
    """Compose fills in dollar signs; doubled ones stay."""
    return [word.replace("$", "$$") for word in words]
