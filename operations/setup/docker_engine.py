"""The Docker daemon: found, or installed and started where this machine allows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import docker
import docker.errors
import requests
from rich.console import Console

from operations.setup.checks import SetupError

START_SECONDS = 60


def silent() -> str | None:
    """Why Docker does not answer; None when it does."""
    try:
        client = docker.from_env(timeout=10)
        client.ping()
        client.close()
    except (docker.errors.DockerException, requests.RequestException) as error:
        return str(error).splitlines()[0][:200]
    return None


def memory() -> int:
    """The memory of Docker's machine in bytes, which may be another than this."""
    client = docker.from_env(timeout=30)
    return int(client.info()["MemTotal"])


def ensure_docker(console: Console, logs: Path) -> None:
    """Installs Debian's Docker and starts it, unless a daemon answers. Raises SetupError, with the log to read."""
    if (why := silent()) is None:
        return
    if os.environ.get("DOCKER_HOST"):
        raise SetupError(f"Docker does not answer ({why}), and DOCKER_HOST names it, so none is installed here")
    log = logs / "docker.log"
    if shutil.which("dockerd") is None:
        console.print(f"installing Docker from Debian's packages (log: {log})", highlight=False)
        with console.status("installing Docker"), log.open("ab") as output:
            for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "docker.io",
                                                    "iptables", "ca-certificates"]):
                status = subprocess.run(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False,
                                        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}).returncode
                if status:
                    raise SetupError(f"`{' '.join(command)}` ended with exit status {status}; read {log}")
    console.print(f"starting Docker (log: {log})", highlight=False)
    start(log)
    deadline = time.monotonic() + START_SECONDS
    while (why := silent()) is not None:
        if time.monotonic() > deadline:
            raise SetupError(f"Docker was started and does not answer after {START_SECONDS} s ({why}); read {log}")
        time.sleep(0.5)


def start(log: Path) -> None:
    """Starts the daemon: through the service manager where one runs, else by itself."""
    if Path("/run/systemd/system").exists():
        subprocess.run(["systemctl", "start", "docker"], check=False, stdin=subprocess.DEVNULL)
        return
    # A daemon that was killed leaves these behind, and the next one takes them for a running one.
    for stale in (Path("/var/run/docker.pid"), Path("/var/run/docker/containerd/containerd.pid")):
        stale.unlink(missing_ok=True)
    daemon = shutil.which("dockerd") or "dockerd"
    with log.open("ab") as output:
        subprocess.Popen([daemon], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
