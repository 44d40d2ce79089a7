"""`make lock`: resolves every pulled image's tag to a digest, into images.lock.json."""

from __future__ import annotations

import json
import sys

import docker
from docker.errors import DockerException

from components.catalog import IMAGES
from components.lock import LOCK_FILE


def resolve() -> dict[str, str]:
    """The digest of each `repository:tag` of the catalog, as its registry has it now. Raises DockerException."""
    client = docker.from_env(timeout=60)
    references = sorted(f"{image.repository}:{image.tag}" for image in IMAGES.values() if image.repository)
    return {reference: str(client.images.get_registry_data(reference).id) for reference in references}


def main() -> int:
    """Writes the lock file, whole or not at all."""
    try:
        found = resolve()
    except DockerException as error:
        print(f"error: an image could not be resolved, {LOCK_FILE.name} is as it was: {error}; a lock needs Docker and the "
              "images' registries", file=sys.stderr)
        return 1
    LOCK_FILE.write_text(json.dumps(found, indent=2) + "\n")
    print(f"{len(found)} images in {LOCK_FILE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
