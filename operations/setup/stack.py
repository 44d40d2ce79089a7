"""The stack: its state backend, passphrase, configuration and generated secrets."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from docker import DockerClient
from docker.errors import DockerException
from rich.console import Console

from components.catalog import IMAGES
from components.settings import NAMESPACE, Settings, layer_kinds
from operations.setup.checks import SetupError

PROJECT = "clinical-mlops"
SECRET_BYTES = 16
PLACEHOLDER = "x" * (2 * SECRET_BYTES)
REGISTRY_SECONDS = 10


def ensure_backend(environment: Mapping[str, str]) -> None:
    """Makes the folder of a file backend and the passphrase, where the environment names them and they are missing."""
    backend = environment.get("PULUMI_BACKEND_URL", "")
    if backend.startswith("file://"):
        Path(backend.removeprefix("file://")).expanduser().mkdir(parents=True, exist_ok=True, mode=0o700)
    file = environment.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if file and not Path(file).exists():
        path = Path(file)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32) + "\n")


def raw_configuration(folder: Path, stack: str) -> dict[str, Any]:
    """The stack's configuration as written, with each encrypted value replaced by a placeholder."""
    file = folder / f"Pulumi.{stack}.yaml"
    if not file.exists():
        raise SetupError(f"there is no {file.name}; copy Pulumi.dev.yaml to it, or name another stack: `make up STACK=dev`")
    text = yaml.safe_load(file.read_text()) or {}
    return dict(_plain(text.get("config") or {}))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return PLACEHOLDER if set(value) == {"secure"} else {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def wanted_secrets() -> list[str]:
    """Every secret that a layer uses."""
    return [secret for kind in layer_kinds().values() for secret in kind.secrets]


def settings_before_secrets(folder: Path, stack: str) -> Settings:
    """The settings of a stack whose secrets may not exist yet. Raises SettingsError with every other fault."""
    configuration = raw_configuration(folder, stack)
    given = configuration.get(f"{NAMESPACE}:secrets") or {}
    return Settings.parse(PROJECT, stack, {**configuration, f"{NAMESPACE}:secrets":
                                           {**{name: PLACEHOLDER for name in wanted_secrets()}, **given}})


def ensure_stack(folder: Path, stack: str, environment: Mapping[str, str], console: Console) -> None:
    """Makes the stack and the secrets that are missing. Raises SetupError when Pulumi refuses."""
    known = {entry["name"] for entry in json.loads(pulumi(["stack", "ls", "--json"], folder, environment))}
    if stack not in known:
        pulumi(["stack", "init", stack, "--no-select"], folder, environment)
        console.print(f"made the stack {stack}", highlight=False)
    given = raw_configuration(folder, stack).get(f"{NAMESPACE}:secrets") or {}
    missing = [name for name in wanted_secrets() if name not in given]
    if missing:
        with console.status("generating secrets"):
            for name in missing:  # one at a time, each through standard input: arguments can be seen in the list of processes
                pulumi(["config", "set", "--path", "--stack", stack, "--secret", f"{NAMESPACE}:secrets.{name}"], folder,
                       environment, secrets.token_hex(SECRET_BYTES))
        console.print(f"generated {len(missing)} secrets, encrypted in Pulumi.{stack}.yaml", highlight=False)


def decide_images(folder: Path, stack: str, environment: Mapping[str, str], client: DockerClient, console: Console) -> None:
    """Finds out once whether a container registry can be reached, and writes `clinical:images` into the configuration."""
    if f"{NAMESPACE}:images" in raw_configuration(folder, stack):
        return
    image = IMAGES["redis"]
    with console.status("looking for a container registry"):
        try:
            client.images.get_registry_data(f"{image.repository}:{image.tag}")
            mode = "pull"
        except (DockerException, OSError):
            mode = "build"
    pulumi(["config", "set", f"{NAMESPACE}:images", mode, "--stack", stack], folder, environment)
    reason = "a container registry answers" if mode == "pull" else "no container registry answers: images are built here"
    console.print(f"{NAMESPACE}:images is {mode} ({reason})", highlight=False)


def pulumi(arguments: list[str], folder: Path, environment: Mapping[str, str], text: str = "") -> str:
    """What a Pulumi command prints, given `text` as standard input. Raises SetupError with its own words."""
    try:
        done = subprocess.run(["pulumi", *arguments, "--non-interactive"], cwd=folder, env=dict(environment),
                              input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SetupError("there is no `pulumi` on the PATH; run `make up`, which installs it") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip()
        advice = ("; the stack's secrets were encrypted with another passphrase: put that one into the file that "
                  "PULUMI_CONFIG_PASSPHRASE_FILE names") if "passphrase" in words else ""
        raise SetupError(f"`pulumi {' '.join(arguments)}` failed: {words}{advice}")
    return done.stdout
