"""Probes of the storage layer: the rules as the object store really has them; and its own commands: what is done with the lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import urllib3
from minio import Minio

from components.infrastructure.minio import ROOT_USER
from components.infrastructure.settings import InfrastructureSettings
from components.settings import Settings, State
from components.storage.layer import VERSIONED, Rule, rules
from components.storage.settings import StorageSettings
from operations import lake, services
from operations.commands import confirm
from operations.faults import OperationError
from operations.lake import BackupsBucket, Direction, Directory, Manifest, Progress, Step, Vault
from operations.lake.backing_up import BUCKETS as KEPT
from operations.options import DEFAULT_STACK, DryRun, Json, StackName, Yes, as_called
from operations.probes import Probe
from operations.running import settings_while_running
from operations.showing import notes, say, show, show_facts

SECONDS = 5
WRITERS = ("ingestion", "processing", "ml", "orchestration")
BUCKET_COLUMNS = {"name": "bucket", "objects": "objects", "bytes": "bytes", "versioned": "versions kept"}


def probes(settings: Settings) -> Iterator[Probe]:
    """One probe a bucket that has rules or versions."""
    layer = settings.of(InfrastructureSettings)
    pool = urllib3.PoolManager(timeout=SECONDS, retries=False)
    client = Minio(f"{settings.platform.bind_address}:{layer.port('minio')}", ROOT_USER, settings.platform.secrets["minio-root"],
                   secure=False, http_client=pool)
    declared = list(rules(settings.of(StorageSettings)))
    for bucket in dict.fromkeys([*VERSIONED, *(rule.bucket for rule in declared)]):
        yield Probe(bucket, partial(bucket_rules, client, bucket, [rule for rule in declared if rule.bucket == bucket]))


def bucket_rules(client: Minio, bucket: str, declared: list[Rule]) -> str:
    """Reads versioning and lifecycle back and compares them with what is declared."""
    if bucket in VERSIONED and client.get_bucket_versioning(bucket).status != "Enabled":
        raise RuntimeError("versions are not kept; `./pipeline storage init` sets it again")
    config = client.get_bucket_lifecycle(bucket)
    there = {(rule.rule_id, rule.expiration.days if rule.expiration else None,
              rule.noncurrent_version_expiration.noncurrent_days if rule.noncurrent_version_expiration else None)
             for rule in (config.rules if config else [])}
    wanted = {(rule.name, rule.expire_days, rule.old_versions_days) for rule in declared}
    if there != wanted:
        raise RuntimeError(f"its rules are {sorted(map(str, there))}, declared are {sorted(map(str, wanted))}; "
                           "`./pipeline storage init` sets them again")
    return f"{len(wanted)} rules" + (", versions kept" if bucket in VERSIONED else "")


@contextmanager
def shown() -> Iterator[Progress]:
    """How far something is, on the terminal."""
    with notes.status("looking") as status:
        def tell(step: Step) -> None:
            of = f" of {step.total:,}" if step.total is not None else ""
            status.update(f"{step.what}: {step.done:,}{of} objects, {step.bytes / 1e6:,.1f} MB")

        yield tell


def facts(manifest: Manifest) -> dict[str, object]:
    """A backup in a few words."""
    return {"backup": manifest.name, "objects": manifest.total.objects, "bytes": manifest.total.bytes,
            "databases": [dump.database for dump in manifest.databases], "finished": manifest.finished}


def bring_back(name: str, vault: Vault, settings: Settings, chosen: str | None, *, overwrite: bool, forget: bool,
               dry_run: bool) -> dict[str, object]:
    """Restores a backup into a platform in which nothing else writes, or only looks what that would do. Raises OperationError."""
    busy = [layer.layer for layer in settings.layers() if layer.layer in WRITERS and layer.state is State.RUNNING]
    if busy:
        raise OperationError(f"{', '.join(busy)} would write while the backup comes back, so nothing was changed. What to do: "
                             f"`./pipeline {busy[0]} stop --stack {name}`, then this command again, then "
                             f"`./pipeline all start --stack {name}`.")
    layer = settings.of(InfrastructureSettings)
    if forget and not dry_run:
        lake.forget_offsets(f"{settings.platform.bind_address}:{layer.port('kafka')}")
    with shown() as progress:
        done = lake.restore(lake.connect(settings), vault, chosen, overwrite=overwrite, progress=progress, dry_run=dry_run,
                            databases=lake.database_containers(services.connect(), name))
    return {**facts(done.manifest), "uploaded": done.uploaded, "removed": done.removed}


def add_commands(group: typer.Typer) -> None:
    """Adds buckets, sync, backup and restore."""

    @group.command("buckets")
    def list_buckets(stack: StackName = DEFAULT_STACK, as_data: Json = False) -> None:
        """What the lake holds."""
        client = lake.connect(settings_while_running(InfrastructureSettings, stack))
        show([asdict(info) for info in lake.buckets(client)], BUCKET_COLUMNS, as_data=as_data)

    @group.command()
    def sync(bucket: Annotated[str, typer.Argument(help="The bucket.")],
             directory: Annotated[Path, typer.Argument(help="A directory of this machine.", file_okay=False, callback=as_called)],
             direction: Annotated[Direction, typer.Option(help="down: into the directory; up: into the bucket.")] = "down",
             prefix: Annotated[str, typer.Option(help="Only keys that begin so.")] = "",
             delete: Annotated[bool, typer.Option("--delete", help="Remove what the other side has besides. Asks first.")] = False,
             stack: StackName = DEFAULT_STACK, dry_run: DryRun = False, yes: Yes = False, as_data: Json = False) -> None:
        """Makes a directory like a bucket, or a bucket like a directory, by their differences."""
        client = lake.connect(settings_while_running(InfrastructureSettings, stack))
        if delete and not (yes or dry_run):
            confirm(f"Remove from {directory if direction == 'down' else bucket} what is not in the other?")
        with shown() as progress:
            done = lake.sync(client, bucket, directory, direction, prefix=prefix, delete=delete, dry_run=dry_run, progress=progress)
        say_dry(dry_run)
        show_facts(asdict(done), as_data=as_data)

    @group.command()
    def backup(to: Annotated[Path | None, typer.Option("--to", help="A directory; the bucket backups without it.",
                                                         callback=as_called)] = None,
               stack: StackName = DEFAULT_STACK, dry_run: DryRun = False, as_data: Json = False) -> None:
        """Copies the lake and the databases. One that was cut off is taken up again."""
        settings = settings_while_running(InfrastructureSettings, stack)
        client = lake.connect(settings)
        if dry_run:
            found = [info for info in lake.buckets(client) if info.name in KEPT]
            objects, size = sum(info.objects for info in found), sum(info.bytes for info in found)
            say(f"would copy {objects:,} objects, {size / 1e6:,.1f} MB, and the databases to {to or 'the bucket backups'}")
            return
        databases = lake.database_containers(services.connect(), stack)
        with shown() as progress:
            made = lake.backup(client, vault_of(settings, to), databases=databases, progress=progress)
        show_facts(facts(made), as_data=as_data)

    @group.command()
    def restore(name: Annotated[str | None, typer.Argument(help="The backup's name; the newest without it.")] = None,
                source: Annotated[Path | None, typer.Option("--from", help="Its directory; the bucket backups without it.",
                                                               callback=as_called)] = None,
                overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove what is there. Asks first.")] = False,
                forget: Annotated[bool, typer.Option("--forget-offsets", help="Kafka's topics live on: let kafka-consumer begin "
                                                     "behind what bronze holds.")] = False,
                stack: StackName = DEFAULT_STACK, dry_run: DryRun = False, yes: Yes = False, as_data: Json = False) -> None:
        """Brings a backup back: into an empty platform, or in place of what is there with --overwrite."""
        settings = settings_while_running(InfrastructureSettings, stack)
        if overwrite and not (yes or dry_run):
            confirm(f"Replace what the lake and the databases of the stack {stack} hold?")
        done = bring_back(stack, vault_of(settings, source), settings, name, overwrite=overwrite, forget=forget, dry_run=dry_run)
        say_dry(dry_run)
        show_facts(done, as_data=as_data)


def say_dry(dry_run: bool) -> None:
    """Says that what is shown did not happen."""
    if dry_run:
        say("nothing was changed; this is what would be done")


def vault_of(settings: Settings, directory: Path | None) -> Vault:
    """Where backups are: a directory, or the bucket backups."""
    return Directory(directory) if directory else BackupsBucket(lake.connect(settings))
