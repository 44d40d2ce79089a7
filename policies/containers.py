"""Containers: pinned, watched, bounded, hardened, reachable from this machine alone, and labelled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from pulumi_policy import ResourceValidationArgs

from policies.rule import Rule

CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/remoteImage:RemoteImage"
PINNED = re.compile(r".+(@sha256:[0-9a-f]{64}|:(?!latest$)[\w][\w.-]*\d[\w.-]*)")
ALLOWED_CAPABILITIES: frozenset[str] = frozenset()
"""Capabilities that a container may get back; none so far needs one."""
ROOT_IMAGES = ("minio",)
"""Services whose pulled image prepares its data for root."""
LABELS = ("clinical.project", "clinical.stack", "clinical.layer", "clinical.service")


def task(args: ResourceValidationArgs) -> bool:
    """Whether a container runs to its end: it then needs no health check."""
    return args.props.get("mustRun") is False


def pinned(args: ResourceValidationArgs) -> Iterator[str]:
    """An image says exactly which."""
    if not PINNED.fullmatch(str(args.props.get("name", ""))):
        yield f"the image {args.props.get('name')} is not pinned; give a full version tag, a digest or a content hash"


def watched(args: ResourceValidationArgs) -> Iterator[str]:
    """A service has a health check."""
    if not task(args) and not (args.props.get("healthcheck") or {}).get("tests"):
        yield "there is no health check; give `health`, a command that uses the service's own protocol"


def bounded(args: ResourceValidationArgs) -> Iterator[str]:
    """Memory, processors, processes and logs have limits."""
    memory = args.props.get("memory")
    if not memory:
        yield "there is no memory limit; give `limits`"
    elif args.props.get("memorySwap") != memory:
        yield "memorySwap must equal memory, or the container swaps past its limit"
    if not args.props.get("cpus"):
        yield "there is no processor limit; give `limits`"
    if not any(limit.get("name") == "nproc" for limit in args.props.get("ulimits") or []):
        yield "there is no limit of processes; give `limits`"
    if not {"max-size", "max-file"} <= set(args.props.get("logOpts") or {}):
        yield "its log is not rotated; set max-size and max-file"


def hardened(args: ResourceValidationArgs) -> Iterator[str]:
    """No right that the software does not need."""
    props = args.props
    if props.get("privileged"):
        yield "it is privileged; drop that, and add the one capability that is needed"
    capabilities = props.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drops") or []):
        yield "it keeps Docker's default capabilities; drop ALL"
    extra = {str(cap).removeprefix("CAP_") for cap in capabilities.get("adds") or []} - ALLOWED_CAPABILITIES
    if extra:
        yield f"it adds {', '.join(sorted(extra))}; no service here needs that, or put it into ALLOWED_CAPABILITIES with a reason"
    if "no-new-privileges:true" not in (props.get("securityOpts") or []):
        yield "its processes may gain privileges; set no-new-privileges:true"
    user = str(props.get("user") or "")
    if user.split(":")[0] in ("", "0", "root") and args.name not in ROOT_IMAGES:
        yield "it runs as root; give it a user"
    if not props.get("readOnly") and not props.get("uploads"):
        yield "its root file system is writable and nothing is uploaded into it; set readOnly"


def separated(args: ResourceValidationArgs) -> Iterator[str]:
    """Nothing of the host is shared."""
    for key in ("networkMode", "pidMode", "ipcMode"):
        if args.props.get(key) == "host":
            yield f"{key} is host; containers meet on the stack's network alone"
    for volume in args.props.get("volumes") or []:
        if "docker.sock" in str(volume.get("hostPath") or ""):
            yield "it mounts Docker's socket, which is root on the host; use a job endpoint instead"
        elif volume.get("hostPath"):
            yield f"it mounts {volume['hostPath']} of the host; use a volume or an uploaded file"


def local(args: ResourceValidationArgs) -> Iterator[str]:
    """Ports are published on the loopback address."""
    for port in args.props.get("ports") or []:
        address = str(port.get("ip") or "0.0.0.0")
        if not ip_address(address).is_loopback:
            yield f"port {port.get('internal')} is published on {address}; set clinical:bindAddress to a loopback address"


def labelled(args: ResourceValidationArgs) -> Iterator[str]:
    """Everything says whose it is."""
    labels = {label.get("label") for label in args.props.get("labels") or []}
    if missing := [label for label in LABELS if label not in labels]:
        yield f"the labels {', '.join(missing)} are missing; make it a Service or a Task"


CONTAINER_RULES = (
    Rule("image-pinned", "Images name an exact version.", (IMAGE,), pinned),
    Rule("container-watched", "Services have a health check.", (CONTAINER,), watched),
    Rule("container-bounded", "Memory, processors, processes and logs are limited.", (CONTAINER,), bounded),
    Rule("container-hardened", "Containers have no right that they do not need.", (CONTAINER,), hardened),
    Rule("container-separated", "Containers share nothing with the host.", (CONTAINER,), separated),
    Rule("container-local", "Ports are published on the loopback address.", (CONTAINER,), local),
    Rule("container-labelled", "Containers say which stack, layer and service they are.", (CONTAINER,), labelled),
)
