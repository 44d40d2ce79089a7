"""Alertmanager: groups alerts, keeps consequences of a known fault quiet, and tells the monitoring service and people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.contracts import HttpService, Network
from components.files import render
from components.layer import Scope, child_of
from components.observability.health import answers
from components.service import CONFIG_FOLDER, SECRETS_FOLDER, Limits, Port, Service, ServiceArgs

INSIDE = 9093
WEBHOOK_SECRET, SMTP_SECRET, SLACK_SECRET = "alert-webhook", "smtp-password", "slack-url"


@dataclass(frozen=True, kw_only=True)
class Email:
    """Where alerts are mailed: `server` is `host:port`; without `user` it is asked for no login."""

    to: str
    sender: str
    server: str
    user: str | None = None
    password: pulumi.Output[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Slack:
    """The channel that is told, through the secret address of an incoming webhook."""

    channel: str
    url: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class AlertmanagerArgs:
    """What Alertmanager is given: the URL that takes alerts with its bearer, and how people are told, if at all."""

    scope: Scope
    network: Network
    webhook: str
    webhook_secret: pulumi.Output[str]
    email: Email | None
    slack: Slack | None
    port: int


class Alertmanager(pulumi.ComponentResource):
    """One Alertmanager. Outputs: `address` (host:port on the network), `server` (HttpService)."""

    address: str
    server: HttpService

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clinical:observability:Alertmanager", name, None, opts)
        url = f"http://{args.scope.platform.bind_address}:{args.port}"
        service = Service(name, ServiceArgs(
            scope=args.scope, network=args.network, image="alertmanager",
            command=["/bin/alertmanager", f"--config.file={CONFIG_FOLDER}/alertmanager.yml", "--storage.path=/alertmanager",
                     f"--web.listen-address=:{INSIDE}", f"--web.external-url={url}",
                     # There is one: without an address it looks for no others.
                     "--cluster.listen-address="],
            files={f"{CONFIG_FOLDER}/alertmanager.yml": configuration(args.webhook, args.email, args.slack)},
            secrets=secrets_of(args),
            volumes={"data": "/alertmanager"},
            ports=[Port(inside=INSIDE, outside=args.port)],
            answers=INSIDE, metrics="/metrics", health=answers(INSIDE, "/-/ready"),
            limits=Limits(memory_mb=128, cpus=0.5)), child_of(self))
        self.address = f"{service.host}:{INSIDE}"
        # Debian's has no page, only the interface.
        self.server = HttpService(name=name, host=service.host, port=INSIDE, page=args.scope.catalog.pulled("alertmanager"),
                                  url=url, health_path="/-/ready", ready=service.ready)
        self.register_outputs({"url": url})


def configuration(webhook: str, email: Email | None, slack: Slack | None) -> str:
    """Alertmanager's configuration; secrets are files that it names."""
    return render(Path(__file__).parent, "alertmanager.yml", webhook=webhook, email=email, slack=slack,
                  webhook_secret=f"{SECRETS_FOLDER}/{WEBHOOK_SECRET}", smtp_secret=f"{SECRETS_FOLDER}/{SMTP_SECRET}",
                  slack_secret=f"{SECRETS_FOLDER}/{SLACK_SECRET}")


def secrets_of(args: AlertmanagerArgs) -> Mapping[str, pulumi.Input[str]]:
    """The secret files, of which the configuration names only those that there are."""
    found: dict[str, pulumi.Input[str]] = {WEBHOOK_SECRET: args.webhook_secret}
    if args.email and args.email.password is not None:
        found[SMTP_SECRET] = args.email.password
    if args.slack:
        found[SLACK_SECRET] = args.slack.url
    return found
