"""Every recipe under images/ obeys the house's rules; and the rules find what they are for."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

from components.context import build_context
from tests.unit.images.recipes import IMAGES, NAMES, SERVICES, faults

GOOD = """# Comment.
ARG BASE
FROM ${BASE} AS build
RUN pip install --no-cache-dir thing==1.2 && go install example.org/x/y@v1.2.3
FROM ${BASE}
LABEL org.opencontainers.image.title="x" org.opencontainers.image.description="y"
RUN apt-get update && apt-get install -y --no-install-recommends x \\
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
USER 1000:1000
"""


def test_the_images_of_the_platform_are_there() -> None:
    assert {"base", "kafka", "minio", "postgres", "redis", "redis-commander"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_has_no_fault(name: str) -> None:
    text = (IMAGES / name / "Dockerfile").read_text()
    assert faults(text, base="DEBIAN" if name == "base" else "BASE") == []


def test_a_good_recipe_has_no_fault() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("ARG BASE\n", "", "the first instruction is not ARG BASE"),
        ("FROM ${BASE} AS build", "FROM debian:12 AS build", "a stage is not FROM ${BASE}"),
        ("USER 1000:1000\n", "", "the last USER"),
        ("USER 1000:1000", "USER 0:0", "the last USER"),
        ("USER 1000:1000", "USER 1000:1000\nUSER root", "the last USER"),
        ("USER 1000:1000", "VOLUME /data\nUSER 1000:1000", "VOLUME is not used here"),
        ("USER 1000:1000", "ADD x /\nUSER 1000:1000", "ADD is not used here"),
        ("USER 1000:1000", "ARG PIP_INDEX_URL\nUSER 1000:1000", "an ARG of the final stage"),
        ("USER 1000:1000", "ENV DB_PASSWORD=x\nUSER 1000:1000", "a secret stands in the recipe"),
        ("--no-install-recommends ", "", "without --no-install-recommends"),
        (
            "--no-install-recommends x",
            "--no-install-recommends x && apt-get -y install z",
            "without --no-install-recommends",
        ),
        (" /var/cache/apt/*", "", "leaves its lists or its cache"),
        ("/var/lib/apt/lists/* ", "", "leaves its lists or its cache"),
        ("thing==1.2", "thing", "pip installs a version that is not pinned"),
        ("thing==1.2", "thing==1.2 other", "pip installs a version that is not pinned"),
        ("@v1.2.3", "@latest", "go installs a version that is not pinned"),
        ("RUN pip", "RUN npm install x@1 && pip", "npm install resolves versions anew"),
        ("RUN pip", "RUN curl -O x && pip", "downloaded past the package registries"),
        ("RUN pip", "RUN --mount=type=cache,target=/x pip", "BuildKit is needed"),
        ('org.opencontainers.image.title="x" ', "", "label org.opencontainers.image.title is missing"),
    ],
)
def test_each_rule_finds_its_fault(old: str, new: str, fault: str) -> None:
    assert old in GOOD
    assert any(fault in found for found in faults(GOOD.replace(old, new)))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_recipe_copies_from_its_context_is_there(name: str) -> None:
    text = (IMAGES / name / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (build_context(IMAGES / name) / source).exists(), f"{name}: COPY {source}"


def test_every_line_of_a_requirements_file_is_pinned() -> None:
    files = list(IMAGES.rglob("requirements.txt"))
    assert files
    for file in files:
        assert [line for line in file.read_text().split("\n") if line and "==" not in line] == []


def test_maven_artifacts_and_plugins_are_pinned() -> None:
    for pom in IMAGES.rglob("pom.xml"):
        text = re.sub(r"<exclusion>.*?</exclusion>", "", pom.read_text(), flags=re.DOTALL)
        nodes = list(ET.fromstring(text).iter())
        versions = [node.text for node in nodes if node.tag.endswith("}version")]
        from_bom = {"s3", "s3-transfer-manager", "sts"} if "<artifactId>bom</artifactId>" in text else set()
        artifacts = [node for node in nodes if node.tag.endswith("}artifactId") and node.text not in from_bom]
        assert len(versions) == len(artifacts), pom
        assert all(
            re.fullmatch(r"\d[\w.-]*", version or "") and "SNAPSHOT" not in str(version)
            for version in versions
        )


def test_npm_packages_are_pinned_with_their_checksums_and_name_no_registry() -> None:
    locks = list(IMAGES.rglob("package-lock.json"))
    assert {lock.parent for lock in locks} == {package.parent for package in IMAGES.rglob("package.json")}
    for lock in locks:
        packages = {name: entry for name, entry in json.loads(lock.read_text())["packages"].items() if name}
        assert packages
        assert [name for name, entry in packages.items() if not entry.get("integrity")] == []
        assert [name for name, entry in packages.items() if "resolved" in entry] == []
        wanted = json.loads((lock.parent / "package.json").read_text())["dependencies"].values()
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted)


def test_kafkas_tools_have_the_upstream_names_and_one_class_each() -> None:
    rows = [line.split() for line in (IMAGES / "kafka/bin/tools.txt").read_text().splitlines()]
    names = [row[0] for row in rows]
    assert all(len(row) == 2 for row in rows)
    assert len(set(names)) == len(names)
    assert {
        "kafka-topics.sh",
        "kafka-configs.sh",
        "kafka-storage.sh",
        "kafka-console-producer.sh",
        "kafka-console-consumer.sh",
        "zookeeper-shell.sh",
    } <= set(names)


def test_scripts_are_executable_in_the_tree() -> None:
    scripts = [path for path in IMAGES.rglob("*") if path.is_file() and path.read_bytes().startswith(b"#!")]
    assert {"docker-entrypoint.sh", "kafka-server-start.sh", "redis-commander"} <= {
        path.name for path in scripts
    }
    assert [str(path) for path in scripts if not path.stat().st_mode & 0o100] == []
