"""Every image of the platform, once: where it is pulled from and how it is built.

A container runs the same way from a pulled image as from a built one, so commands, ports and paths are the services'
business; what differs by nature (the user that an upstream image prepares its directories for) stands here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_docker as docker

from components.context import PROJECT_FOLDER, build_arguments, build_context, context_hash, host_arguments
from components.lock import digest_of


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image. `repository` and `tag` say where it is pulled from; `folder` under images/ how it is built."""

    repository: str | None = None
    tag: str | None = None
    folder: str | None = None
    pulled_user: str = "0:0"
    """The user that owns the data directories of the upstream image."""
    built_user: str = "1000:1000"
    anonymous: tuple[str, ...] = ()
    """Paths that the upstream image declares as volumes: each must be mounted, or Docker makes an anonymous volume."""
    substitute: str | None = None
    """The image that plays this one's role where it cannot be had."""


NOBODY = "65534:65534"

IMAGES: Mapping[str, Image] = {
    "minio": Image(repository="minio/minio", tag="RELEASE.2025-09-07T16-13-09Z", folder="minio", anonymous=("/data",)),
    "kafka": Image(repository="apache/kafka", tag="3.9.1", folder="kafka", pulled_user="1000:1000",
                   anonymous=("/var/lib/kafka/data", "/etc/kafka/secrets", "/mnt/shared/config")),
    "postgres": Image(repository="postgres", tag="15.14-bookworm", folder="postgres", pulled_user="999:999",
                      built_user="999:999", anonymous=("/var/lib/postgresql/data",)),
    "redis": Image(repository="redis", tag="7.4.5-bookworm", folder="redis", pulled_user="999:999",
                   built_user="999:999", anonymous=("/data",)),
    "redis-insight": Image(repository="redis/redisinsight", tag="2.70.1", substitute="redis-commander",
                           pulled_user="1000:1000", anonymous=("/data",)),
    "redis-commander": Image(folder="redis-commander"),
    "rabbitmq": Image(repository="rabbitmq", tag="3.13.7-management", folder="rabbitmq", pulled_user="999:999",
                      built_user="999:999", anonymous=("/var/lib/rabbitmq",)),
    "ingestion": Image(folder="ingestion"),
    "spark": Image(folder="spark"),
    "ml": Image(folder="ml"),
    # The upstream image has neither the PostgreSQL driver nor the S3 client, so MLflow is built in every mode.
    "mlflow": Image(folder="mlflow"),
    "airflow": Image(folder="airflow"),
    "prometheus": Image(repository="prom/prometheus", tag="v3.6.0", folder="prometheus", pulled_user=NOBODY, built_user=NOBODY,
                        anonymous=("/prometheus",)),
    "alertmanager": Image(repository="prom/alertmanager", tag="v0.28.1", folder="prometheus", pulled_user=NOBODY,
                          built_user=NOBODY, anonymous=("/alertmanager",)),
    "node-exporter": Image(repository="prom/node-exporter", tag="v1.9.1", folder="prometheus", pulled_user=NOBODY,
                           built_user=NOBODY),
    "postgres-exporter": Image(repository="prometheuscommunity/postgres-exporter", tag="v0.17.1", folder="prometheus",
                               pulled_user=NOBODY, built_user=NOBODY),
    "redis-exporter": Image(repository="oliver006/redis_exporter", tag="v1.67.0-alpine", folder="prometheus",
                            pulled_user="59000:59000", built_user=NOBODY),
    "elasticsearch-exporter": Image(repository="prometheuscommunity/elasticsearch-exporter", tag="v1.7.0", folder="prometheus",
                                    pulled_user=NOBODY, built_user=NOBODY),
    "opensearch": Image(repository="opensearchproject/opensearch", tag="2.19.4", folder="opensearch", pulled_user="1000:1000"),
    "log-shipper": Image(folder="log-shipper"),
    "opensearch-dashboards": Image(repository="opensearchproject/opensearch-dashboards", tag="2.19.4", pulled_user="1000:1000"),
    "grafana": Image(repository="grafana/grafana", tag="12.2.0", pulled_user="472:0"),
    "kafka-ui": Image(repository="ghcr.io/kafbat/kafka-ui", tag="v1.3.0", pulled_user="100:101"),
}


@dataclass(frozen=True, kw_only=True)
class ResolvedImage:
    """An image that this stack has: `id` names the exact content to run, as `user`."""

    name: str
    id: pulumi.Output[str]
    user: str
    anonymous: tuple[str, ...]


class Catalog:
    """The images of one stack. Each is declared when the first service asks for it, and once."""

    def __init__(self, project: str, mode: str, mirror: str | None = None, unwanted: Collection[str] = (),
                 images: Mapping[str, Image] = IMAGES) -> None:
        self.project, self.mode, self.mirror, self.unwanted, self.images = project, mode, mirror, unwanted, images
        self.left_out: dict[str, str] = {}
        self._declared: dict[str, docker.RemoteImage] = {}

    def pulled(self, name: str) -> bool:
        """Whether this stack pulls the image; ours, which have no repository, are always built."""
        image = self.images[name]
        return image.repository is not None and (self.mode == "pull" or image.folder is None)

    def choose(self, name: str) -> str | None:
        """`name`, or what plays its role in this stack; None (and a note in `left_out`) where nothing does."""
        image = self.images[name]
        if name in self.unwanted:
            self.left_out[name] = "left out by the stack's setting leaveOut"
            return None
        if self.mode == "pull" or image.folder is not None:
            return name
        self.left_out[name] = f"replaced by {image.substitute}" if image.substitute else \
            "left out: its software is not in package registries"
        return image.substitute

    def reference(self, name: str) -> str:
        """The full name of an image: repository, tag and digest of a pulled one, content hash of a built one."""
        image = self.images[name]
        if not self.pulled(name):
            return f"{self.project}/{image.folder}:{context_hash(self._folder(image), build_arguments())}"
        digest = digest_of(f"{image.repository}:{image.tag}")
        return f"{self._mirrored(str(image.repository))}:{image.tag}" + (f"@{digest}" if digest else "")

    def get(self, name: str) -> ResolvedImage:
        """Declares the image and returns what a service needs of it."""
        image, pulled = self.images[name], self.pulled(name)
        # Images that are built from one folder are one.
        key = name if pulled else str(image.folder)
        if key not in self._declared:
            self._declared[key] = self._declare(key, name)
        # RemoteImage's own identity changes with each rebuild of the same context; the image id only with its content.
        return ResolvedImage(name=name, id=self._declared[key].image_id, anonymous=image.anonymous if pulled else (),
                             user=image.pulled_user if pulled else image.built_user)

    def _declare(self, key: str, name: str) -> docker.RemoteImage:
        image = self.images[name]
        # keep_locally: without it a destroy deletes images that other stacks of this machine use.
        if self.pulled(name):
            return docker.RemoteImage(f"{key}-image", name=self.reference(name), keep_locally=True)
        arguments, folder = build_arguments(), self._folder(image)
        # The host's proxies and registries may hold credentials, and change nothing about what is built.
        context = build_context(folder)
        build = docker.RemoteImageBuildArgs(context=str(context.relative_to(PROJECT_FOLDER)),
                                            dockerfile=str((folder / "Dockerfile").relative_to(context)),
                                            build_args=pulumi.Output.secret({**arguments, **host_arguments()}))
        return docker.RemoteImage(f"{key}-image", name=self.reference(name), build=build, keep_locally=True,
                                  triggers={"context": context_hash(folder, arguments)},
                                  opts=pulumi.ResourceOptions(ignore_changes=["build"]))

    def _folder(self, image: Image) -> Path:
        return PROJECT_FOLDER / "images" / str(image.folder)

    def _mirrored(self, repository: str) -> str:
        if self.mirror is None:
            return repository
        host, _, rest = repository.partition("/")
        path = rest if "." in host else repository if rest else f"library/{repository}"
        return f"{self.mirror}/{path}"
