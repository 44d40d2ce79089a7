"""Whether a start would succeed: settings, images, ports, and a preview with the policies. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from docker import DockerClient
from docker.errors import DockerException
from pulumi import automation as auto
from rich.markup import escape

from components.context import BASE_IMAGE, IMAGES_FOLDER
from components.settings import Platform, Settings, SettingsError, State, layer_kinds
from operations import remote
from operations.faults import OperationError, explained
from operations.images import exists
from operations.services import connect, found
from operations.setup.checks import answered, taken
from operations.showing import console, notes, say, show_data
from operations.stack import open_stack, settings_of
from policies.configuration import write_configuration

POLICIES = "policies"


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found in a few words, and each fault with what to do."""

    what: str
    found: str
    faults: tuple[str, ...] = ()


def checks(layers: list[str], name: str) -> Iterator[Check]:
    """Every check, one after the other. Raises OperationError where the stack cannot be opened."""
    stack = open_stack(name)
    try:
        settings = settings_of(stack)
    except SettingsError as error:
        yield Check("settings", "nothing else can be looked at", tuple(error.faults))
        return
    yield Check("settings", f"{len(settings.layers())} layers")
    try:
        client = connect()
    except OperationError as error:
        yield Check("Docker", "images, ports and preview need it", (str(error),))
        return
    yield images(client, settings, layers)
    yield ports(client, settings, layers, name)
    yield preview(stack, settings.platform)


def images(client: DockerClient, settings: Settings, layers: list[str]) -> Check:
    """Whether each image is there, or can be pulled or built."""
    catalog, there, to_make, faults = settings.catalog, 0, 0, list[str]()
    chosen = filter(None, (catalog.choose(image) for layer in layers for image in layer_kinds()[layer].images))
    wanted = {catalog.reference(image): image for image in chosen}
    for reference, image in wanted.items():
        if exists(client, reference):
            there += 1
            continue
        fault = not_pulled(client, reference) if catalog.pulled(image) else not_built(client, str(catalog.images[image].folder))
        to_make += not fault
        faults += [fault] if fault else []
    return Check("images", f"{there} there, {to_make} to be made", tuple(faults))


def not_pulled(client: DockerClient, reference: str) -> str | None:
    """Why an image cannot be pulled; None where its registry has it."""
    try:
        client.images.get_registry_data(reference)
    except (DockerException, requests.RequestException) as error:
        return (f"{reference} cannot be pulled ({str(error).splitlines()[0][:200]}); set clinical:registryMirror to a registry "
                "that has it, or clinical:images to build")
    return None


def not_built(client: DockerClient, folder: str) -> str | None:
    """Why an image could not even begin to be built; None where it could."""
    if not (IMAGES_FOLDER / folder / "Dockerfile").is_file():
        return f"images/{folder}/Dockerfile is missing; bring it back from version control"
    if not exists(client, BASE_IMAGE):
        return f"the base {BASE_IMAGE}, on which images/{folder} is built, is missing; `make up` makes it"
    return None


def ports(client: DockerClient, settings: Settings, layers: list[str], name: str) -> Check:
    """Whether each port that a running layer publishes is free, or this stack's already."""
    own = {int(bound["HostPort"]) for container in found(client, name)
           for bindings in (container.attrs["NetworkSettings"]["Ports"] or {}).values() for bound in bindings or []}
    wanted = {label: port for layer in settings.layers() if layer.layer in layers and layer.state is State.RUNNING
              for label, port in layer.published().items()}
    address, in_use = str(settings.platform.bind_address), answered if remote.elsewhere() else taken
    faults = [f"port {port} ({label}) is used by another program; stop that, or set clinical:ports.{label}, or move the whole "
              "stack with clinical:portOffset"
              for label, port in sorted(wanted.items()) if port not in own and in_use(address, port)]
    return Check("ports", f"{len(wanted)} looked at, {len(own & set(wanted.values()))} of them in use by this stack", tuple(faults))


def preview(stack: auto.Stack, platform: Platform) -> Check:
    """What an update would change, judged by the policies as strictly as the stack says; the engine's words are shown as they
    come."""
    with TemporaryDirectory() as folder:
        told = write_configuration(Path(folder, "policies.json"), platform.policies, str(platform.bind_address))
        return previewed(stack, str(told))


def previewed(stack: auto.Stack, policy_settings: str) -> Check:
    """The preview with the policy pack, which reads its settings from a file."""
    try:
        result = stack.preview(on_output=say, color="never", policy_packs=[POLICIES], policy_pack_configs=[policy_settings])
    except auto.CommandError as error:
        return Check("preview and policies", "refused", (str(explained(error, stack.name)),))
    changes = {str(getattr(op, "value", op)): count for op, count in result.change_summary.items()}
    return Check("preview and policies", ", ".join(f"{count} {op}" for op, count in changes.items()) or "nothing to change")


def show(found: Iterator[Check], as_data: bool) -> bool:
    """Prints each check as it is done; whether all of it is well."""
    seen = []
    for check in found:
        seen.append(check)
        if not as_data:
            mark = "[red]✗[/]" if check.faults else "[green]✓[/]"
            console.print(f"{mark} {check.what}: {escape(check.found)}", highlight=False, soft_wrap=True)
            for fault in check.faults:
                console.print(f"    {fault}", highlight=False, markup=False, soft_wrap=True)
    good = not any(check.faults for check in seen)
    if as_data:
        show_data([{**asdict(check), "well": not check.faults} for check in seen])
    elif good:
        notes.print("valid", style="green")
    return good
