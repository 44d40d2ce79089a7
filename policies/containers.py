"""Containers: pinned, watched, bounded, hardened, reachable from this machine alone, and labelled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from pulumi_policy import ResourceValidationArgs

from policies.rule import Rule, listed

CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/remoteImage:RemoteImage"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
PINNED = re.compile(r"sha256:[0-9a-f]+"                     # an image's own identity
                    r"|.+@sha256:[0-9a-f]{64}"              # a digest
                    r"|.+:[0-9a-f]{12}"                     # the content hash of what is built here
                    r"|.+:\w[\w.-]*?\d[.-]\d[\w.-]*|.+:\d+[.-]\d[\w.-]*")  # a tag of two numbers or more
ALLOWED_CAPABILITIES: frozenset[str] = frozenset()
"""Capabilities that a container may get back; none so far needs one."""
ROOT_SERVICES = ("minio", "log-shipper")
"""Services whose pulled image prepares its data for root, and the one that reads Docker's log files, which are root's."""
LOG_READERS = ("log-shipper",)
"""Services that may read the logs which Docker keeps of its containers."""
LABELS = ("clinical.project", "clinical.stack", "clinical.layer")
SERVICE_LABEL = "clinical.service"


def exact_image(args: ResourceValidationArgs) -> Iterator[str]:
    """An image is named so exactly that it stays the same; while it is to be built or pulled, a container's is unknown."""
    image = args.props["name" if args.resource_type == IMAGE else "image"]
    if not PINNED.fullmatch(str(image)):
        yield f"the image {image} is not pinned; name it in components/catalog.py by full version, digest or content hash"


def watched(args: ResourceValidationArgs) -> Iterator[str]:
    """A service has a health check. A task needs none: it is judged by its exit status."""
    task = args.props.get("mustRun") is False and args.props.get("restart") == "no"
    if not task and not (args.props.get("healthcheck") or {}).get("tests"):
        yield "there is no health check; give `health`, a command that uses the service's own protocol"


def memory(args: ResourceValidationArgs) -> Iterator[str]:
    """Memory has a limit, and swap does not get round it."""
    limit = args.props.get("memory")
    if not limit:
        yield "there is no memory limit; give `limits`"
    elif args.props.get("memorySwap") != limit:
        yield "memorySwap must equal memory, or the container swaps past its limit"


def processors(args: ResourceValidationArgs) -> Iterator[str]:
    """Processor time has a limit."""
    if not args.props.get("cpus"):
        yield "there is no processor limit; give `limits`"


def processes(args: ResourceValidationArgs) -> Iterator[str]:
    """The number of processes has a limit."""
    if not any(limit.get("name") == "nproc" for limit in args.props.get("ulimits") or []):
        yield "there is no limit of processes; give `limits`"


def rotated(args: ResourceValidationArgs) -> Iterator[str]:
    """A log cannot fill the disk."""
    if not {"max-size", "max-file"} <= set(args.props.get("logOpts") or {}):
        yield "its log is not rotated; set max-size and max-file"


def privileged(args: ResourceValidationArgs) -> Iterator[str]:
    """No container is the host's root."""
    if args.props.get("privileged"):
        yield "it is privileged; drop that, and add the one capability that is needed"


def capabilities(args: ResourceValidationArgs) -> Iterator[str]:
    """Every capability is dropped, and only what is known to be needed is added back."""
    given = args.props.get("capabilities") or {}
    if "ALL" not in (given.get("drops") or []):
        yield "it keeps Docker's default capabilities; drop ALL"
    extra = {str(cap).removeprefix("CAP_") for cap in given.get("adds") or []} - ALLOWED_CAPABILITIES
    if extra:
        yield f"it adds {', '.join(sorted(extra))}; no service here needs that, or put it into ALLOWED_CAPABILITIES with a reason"


def privileges(args: ResourceValidationArgs) -> Iterator[str]:
    """No program of a container runs as another user than its caller."""
    if "no-new-privileges:true" not in (args.props.get("securityOpts") or []):
        yield "its processes may gain privileges; set no-new-privileges:true"


def not_root(args: ResourceValidationArgs) -> Iterator[str]:
    """Software runs as a user that owns nothing but its data."""
    if str(args.props.get("user") or "").split(":")[0] in ("", "0", "root") and args.name not in ROOT_SERVICES:
        yield "it runs as root; give it a user, or put it into ROOT_SERVICES with a reason"


def read_only(args: ResourceValidationArgs) -> Iterator[str]:
    """The software cannot change itself. Docker uploads nothing into a read-only root, so files excuse it."""
    if not args.props.get("readOnly") and not args.props.get("uploads"):
        yield "its root file system is writable and nothing is uploaded into it; set readOnly"


def own_namespaces(args: ResourceValidationArgs) -> Iterator[str]:
    """Network, processes, memory and users of the host are out of reach."""
    for key in ("networkMode", "pidMode", "ipcMode", "usernsMode"):
        if args.props.get(key) == "host":
            yield f"{key} is host; containers meet on the stack's network alone"


def own_files(args: ResourceValidationArgs) -> Iterator[str]:
    """Files and devices of the host are out of reach."""
    volumes = listed(args.props, "volumes")
    paths = [str(volume.get("hostPath")) for volume in volumes if volume.get("hostPath") and not is_log_folder(args.name, volume)]
    paths += [str(mount.get("source")) for mount in listed(args.props, "mounts") if mount.get("type") == "bind"]
    paths += [str(device.get("hostPath")) for device in listed(args.props, "devices")]
    for path in paths:
        if path.endswith("docker.sock"):
            yield "it mounts Docker's socket, which is root on the host; ask Docker from outside instead"
        else:
            yield f"it uses {path} of the host; use a volume or an uploaded file"


def is_log_folder(name: str, volume: Mapping[str, Any]) -> bool:
    """Whether a service that may reads the logs of Docker's containers, and cannot write them."""
    return name in LOG_READERS and bool(volume.get("readOnly")) and str(volume.get("hostPath")).endswith("/containers")


def local(args: ResourceValidationArgs) -> Iterator[str]:
    """Ports are published on the loopback address, or on the one address that the stack names (clinical:bindAddress)."""
    allowed = args.get_config().get("bindAddress")
    for port in listed(args.props, "ports"):
        address = str(port.get("ip") or "0.0.0.0")
        if not is_loopback(address) and (address != allowed or is_every(address)):
            yield (f"port {port.get('internal', 0):.0f} is published on {address}; publish it on a loopback address, or on the one "
                   "address of this machine that clinical:bindAddress names")


def is_loopback(address: str) -> bool:
    """Whether an address, of whatever form, is one of this machine alone."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def is_every(address: str) -> bool:
    """Whether an address stands for all addresses of the machine."""
    return ip_address(address).is_unspecified


def labelled(args: ResourceValidationArgs) -> Iterator[str]:
    """Everything says whose it is; what no label leads to is left behind."""
    labels = {label.get("label") for label in args.props.get("labels") or []}
    wanted = LABELS if args.resource_type == NETWORK else (*LABELS, SERVICE_LABEL)
    if missing := [label for label in wanted if label not in labels]:
        yield f"the labels {', '.join(missing)} are missing; give it the labels of its Scope, as Service and Task do"


CONTAINER_RULES = (
    Rule("image-pinned", "Images name an exact version.", (IMAGE, CONTAINER), (exact_image,)),
    Rule("container-watched", "Services have a health check.", (CONTAINER,), (watched,)),
    Rule("container-bounded", "Memory, processors, processes and logs are limited.", (CONTAINER,),
         (memory, processors, processes, rotated)),
    Rule("container-hardened", "Containers have no right that they do not need.", (CONTAINER,),
         (privileged, capabilities, privileges, not_root, read_only)),
    Rule("container-separated", "Containers share nothing with the host.", (CONTAINER,), (own_namespaces, own_files)),
    Rule("container-local", "Ports are published on the loopback address.", (CONTAINER,), (local,),
         options={"bindAddress": {"type": "string"}}),
    Rule("labelled", "What Docker holds says which stack, layer and service it is of.", (CONTAINER, VOLUME, NETWORK), (labelled,)),
)
