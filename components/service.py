"""One container. Everything that only one Docker host does (names, networks, uploads, limits) stays in this file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pulumi
import pulumi_docker as docker

from components.contracts import Network, Observed
from components.layer import Scope, child_of

SECRETS_FOLDER = "/run/secrets"
CONFIG_FOLDER = "/run/config"
LOG_LABELS = ("clinical.stack", "clinical.layer", "clinical.service")
LOG_OPTIONS = {"max-size": "10m", "max-file": "3", "labels": ",".join(LOG_LABELS)}
"""Docker writes the labels beside each line, so that whoever reads the logs knows whose they are."""
CONTAINER_LOGS = "/var/lib/docker/containers"
LAST_LINES = 20
REST_SECONDS, ATTEMPTS = 25, 5
HEALTHY_MARK = "/tmp/.healthy"
"""In memory, so that it is gone whenever the container starts anew."""
PACED = f"""[ ! -e "$0" ] || sleep {REST_SECONDS}
seconds=$1 left={ATTEMPTS}
shift
until timeout "$seconds" "$@"; do
  left=$((left - 1))
  [ $left -gt 0 ] || {{ rm -f "$0"; exit 1; }}
  sleep 1
done
: > "$0\""""


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of the container and the host port it is published on."""

    inside: int
    outside: int


@dataclass(frozen=True)
class Health:
    """A command whose exit status 0 means healthy; one attempt may take `seconds`.

    Docker starts a process in the container for each check, which costs a tenth of a second of a processor: with forty containers
    that would be a quarter of a small machine. So the check paces itself (`tests`): until the service is healthy it asks each
    second, from then on twice a minute, and after a failure each second again.
    """

    command: Sequence[str]
    seconds: int = 5

    @classmethod
    def http(cls, port: int, path: str) -> Health:
        """Healthy when GET `path` inside the container answers 200. Bash asks, since images share no HTTP client."""
        ask = (f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 "
               '&& read -r _ status _ <&3 && [ "$status" = 200 ]')
        return cls(["bash", "-c", ask])

    @property
    def tests(self) -> list[str]:
        """What Docker runs."""
        return ["CMD", "sh", "-c", PACED, HEALTHY_MARK, str(self.seconds), *self.command]

    @property
    def longest(self) -> str:
        """How long one check may take, as Docker writes it: written otherwise, it would show as changed."""
        minutes, seconds = divmod(REST_SECONDS + ATTEMPTS * (self.seconds + 1) + 5, 60)
        return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a container may use at most: megabytes, processors, processes and threads of its user."""

    memory_mb: int
    cpus: float = 1.0
    processes: int = 8192


@dataclass(frozen=True, kw_only=True)
class RunArgs:
    """What a container runs, for services and tasks alike.

    `image` is a name of the catalog. Files are text by path, below /run/config; secrets are text by file name and
    appear below /run/secrets. `volumes` maps a short name to a path. What else
    the software writes goes to `writable` paths, which are in memory.
    `user` overrides the image's own; `after` are resources that must exist first. `container_logs` shows the logs of this host's
    containers, for reading alone.
    """

    scope: Scope
    network: Network
    image: str
    command: Sequence[str]
    limits: Limits
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    files: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    writable: Sequence[str] = ("/tmp",)
    user: str | None = None
    capabilities: Sequence[str] = ()
    container_logs: bool = False
    after: Sequence[pulumi.Resource] = ()

    def __post_init__(self) -> None:
        if not self.command:
            raise ValueError(f"{self.image}: a command is needed; images differ in what they run without one")
        for path in self.files:
            if not path.startswith(f"{CONFIG_FOLDER}/") and path.rpartition("/")[0] not in self.volumes.values():
                raise ValueError(f"{self.image}: the file {path} must stand in {CONFIG_FOLDER} or directly in a volume")


@dataclass(frozen=True, kw_only=True)
class ServiceArgs(RunArgs):
    """A container that keeps running. `ready_within` is how long an update waits for it to be healthy, in seconds.

    `answers` is a TCP port of the network that is open while the service lives, and `metrics` the path of its Prometheus metrics
    there; each None where it has none.
    """

    health: Health
    answers: int | None
    metrics: str | None
    ports: Sequence[Port] = ()
    restart: Literal["unless-stopped", "on-failure"] = "unless-stopped"
    stop_signal: str = "SIGTERM"
    stop_grace_seconds: int = 10
    ready_within: int = 180


class _Run(pulumi.ComponentResource):
    """The volumes and the container of a service or a task."""

    container: docker.Container | None
    volumes: dict[str, docker.Volume]

    def __init__(self, kind: str, name: str, args: RunArgs, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(f"clinical:service:{kind}", name, None, opts)
        self.container = None
        self.volumes = {}
        self._name = name
        if args.scope.keeps_data:
            labels = [docker.VolumeLabelArgs(label=k, value=v) for k, v in args.scope.labels(name).items()]
            self.volumes = {short: docker.Volume(f"{name}-{short}", name=args.scope.name(f"{name}-{short}"), labels=labels,
                                                 opts=child_of(self, protect=args.scope.protect)) for short in args.volumes}

    def _run(self, args: RunArgs, labels: Mapping[str, pulumi.Input[str]], **more: Any) -> docker.Container:
        """Declares the container; called only while the layer runs."""
        image = args.scope.catalog.get(args.image)
        user = args.user or image.user
        mounts = [docker.ContainerVolumeArgs(volume_name=self.volumes[short].name, container_path=path)
                  for short, path in args.volumes.items()]
        if args.container_logs:
            mounts.append(docker.ContainerVolumeArgs(host_path=f"{args.scope.platform.docker_folder}/containers",
                                                     container_path=CONTAINER_LOGS, read_only=True))
        in_memory = [*args.writable, *(path for path in image.anonymous if path not in args.volumes.values())]
        # Root's and readable by all, as Docker's own secrets are: one process with one user lives in the container. The
        # provider's owner and group would make Docker look the container's user up among the host's, and fail.
        texts = {**args.files, **{f"{SECRETS_FOLDER}/{secret}": pulumi.Output.secret(text)
                                  for secret, text in args.secrets.items()}}
        uploads = [docker.ContainerUploadArgs(file=path, content=text, permissions="0444") for path, text in texts.items()]
        memory = args.limits.memory_mb
        return docker.Container(
            self._name, name=args.scope.name(self._name), hostname=self._name, image=image.id, user=user,
            entrypoints=[args.command[0]], command=list(args.command[1:]),
            envs=[pulumi.Output.concat(f"{k}=", v) for k, v in sorted(args.environment.items())],
            uploads=uploads, volumes=mounts, tmpfs={path: "mode=1777" for path in in_memory},
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=args.network.name, aliases=[self._name])],
            # Docker stores twice the memory as memory_swap when it is left out, which then shows as a change.
            memory=memory, memory_swap=memory, cpus=str(args.limits.cpus),
            # The provider has no pids limit. This one counts all processes of the user on the host, so it is generous.
            ulimits=[docker.ContainerUlimitArgs(name="nproc", soft=args.limits.processes, hard=args.limits.processes)],
            # Docker uploads nothing into a read-only root file system. Where files are uploaded it stays writable, and the
            # container's user, who is not root and has no capability, owns nothing there.
            read_only=not uploads, security_opts=["no-new-privileges:true"],
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=[f"CAP_{c}" for c in args.capabilities]),
            log_driver="json-file", log_opts=LOG_OPTIONS,
            labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in labels.items()],
            # A fixed name can be taken once: the old container goes before the new one comes.
            opts=child_of(self, depends_on=list(args.after), delete_before_replace=True), **more)


class Service(_Run):
    """A container that keeps running, with its volumes; gone while its layer is stopped, its volumes only when absent.

    Outputs: `host` (its name on the network), `ready` (what clients depend on), `data` (the first volume).
    """

    host: str
    ready: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Service", name, args, opts)
        self.host = name
        if args.scope.running:
            args.scope.services.append(
                Observed(name=name, layer=args.scope.layer, host=name, port=args.answers, metrics=args.metrics))
            address = str(args.scope.platform.bind_address)
            self.container = self._run(
                args, args.scope.labels(name), restart=args.restart, must_run=True, wait=True,
                wait_timeout=args.ready_within, stop_signal=args.stop_signal, stop_timeout=args.stop_grace_seconds,
                # Without it a replaced or destroyed container is killed at once, whatever stop_timeout says.
                destroy_grace_seconds=args.stop_grace_seconds,
                ports=[docker.ContainerPortArgs(internal=p.inside, external=p.outside, ip=address) for p in args.ports],
                healthcheck=docker.ContainerHealthcheckArgs(
                    tests=args.health.tests, interval="1s", timeout=args.health.longest, retries=6, start_period="1m0s"))
        self.ready = [self.container] if self.container else []
        self.register_outputs({"host": self.host})

    @property
    def data(self) -> docker.Volume | None:
        """The volume that holds the service's data: what is declared inside the service goes with it."""
        return next(iter(self.volumes.values()), None)


class Task(_Run):
    """A container that runs to its end once, and again when any of its inputs changes.

    Docker's provider calls a container that ended with an error a success, so the exit status is checked here: pass
    `done` into an input of whatever comes after (a label, an environment variable), and a failure stops it with the
    task's last lines.
    """

    done: pulumi.Output[str]

    def __init__(self, name: str, args: RunArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Task", name, args, opts)
        self.done = pulumi.Output.from_input("not run")
        if args.scope.running:
            self.container = self._run(args, args.scope.labels(name), restart="no", must_run=False, attach=True, logs=True)
            outcome = pulumi.Output.all(self.container.exit_code, self.container.container_logs)
            self.done = outcome.apply(lambda found: finished(name, *found))
        self.register_outputs({"done": self.done})


def finished(name: str, exit_code: int | None, logs: str | None) -> str:
    """Raises RunError with the last lines of the log unless the task ended well."""
    if exit_code != 0:
        last = "\n".join(f"  {line}" for line in (logs or "").strip().splitlines()[-LAST_LINES:])
        raise pulumi.RunError(f"{name}: the task ended with exit status {exit_code}; its last lines:\n{last}")
    return "done"
