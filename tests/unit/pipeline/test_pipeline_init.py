"""`init` makes again what was removed inside of services; images are built once, whatever they are called."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from operations import commands
from tests.unit.pipeline.conftest import Command, Platform, World
from tests.unit.pipeline.fakes import FakeDocker, FakeStack, urn

BUCKET = "minio:index/s3Bucket:S3Bucket"
RULE = "minio:index/ilmPolicy:IlmPolicy"


def declare(stack: FakeStack) -> tuple[str, str]:
    """A bucket of infrastructure and a rule of storage."""
    bucket = urn(f"clinical:layer:Infrastructure$clinical:infrastructure:Lake${BUCKET}", "bronze-bucket")
    rule = urn(f"clinical:layer:Storage${RULE}", "bronze-lifecycle")
    stack.resources += [{"type": BUCKET, "urn": bucket}, {"type": RULE, "urn": rule}]
    return bucket, rule


def test_what_a_layer_declares_inside_of_services_is_looked_at_and_made(world: World, pipeline: Command) -> None:
    """The layer's own alone: another one's server may be down."""
    stack, _ = world()
    bucket, rule = declare(stack)
    assert pipeline("infrastructure", "init").status == 0
    assert bucket in stack.refreshed and rule not in stack.refreshed and stack.calls == ["refresh", "up"]
    assert pipeline("all", "init").status == 0
    assert {bucket, rule} <= set(stack.refreshed)


def test_a_start_does_not_look_inside_of_services(world: World, pipeline: Command) -> None:
    """They may be what does not run."""
    stack, _ = world()
    declared = declare(stack)
    pipeline("all", "start")
    assert not set(declared) & set(stack.refreshed)


def test_a_dry_run_says_how_much_would_be_compared(world: World, pipeline: Command) -> None:
    """And changes nothing."""
    stack, _ = world()
    declare(stack)
    done = pipeline("all", "init", "--dry-run")
    assert "would compare 2" in done.err and "infrastructure, storage" in done.err and stack.calls == []


def test_a_layer_with_nothing_inside_of_services(world: World, pipeline: Command) -> None:
    """Is told so; no update is made."""
    stack, _ = world()
    done = pipeline("storage", "init")
    assert done.status == 0 and "nothing is declared" in done.err and stack.calls == []


def test_a_stopped_layer_is_not_made(world: World, pipeline: Command) -> None:
    """Its server does not run; the command that starts it is named."""
    stack, _ = world("stopped")
    declare(stack)
    done = pipeline("infrastructure", "init")
    assert (done.status, stack.calls) == (1, []) and "infrastructure start" in done.err


def test_images_of_one_folder_are_built_once(platform: Platform, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus, Alertmanager and the exporters are one; the folder is built, not the name."""
    platform(images="build")
    built: list[str] = []

    def build(folder: str, console: Console, *, rebuild: bool) -> None:
        built.append(folder)

    monkeypatch.setattr(commands, "ensure_built", build)
    assert pipeline("observability", "rebuild").status == 0
    assert sorted(built) == ["log-shipper", "ml", "opensearch", "prometheus"]


def test_images_that_are_there_are_not_built_again(platform: Platform, pipeline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """`build` is for what is missing."""
    platform(images="build")

    def build(*_: Any, **__: Any) -> None:
        raise AssertionError("an image that is there was built")

    monkeypatch.setattr(commands, "ensure_built", build)
    monkeypatch.setattr(commands, "connect", FakeDocker)
    assert "every image is there" in pipeline("observability", "build").err
