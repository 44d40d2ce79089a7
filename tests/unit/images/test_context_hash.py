"""An image's hash follows its content, and nothing else; what the host contributes is no part of it."""

import os
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from components.context import (
    HASH_LENGTH,
    build_arguments,
    context_hash,
    host_arguments,
    maven_settings,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "image"
    (place / "sub").mkdir(parents=True)
    (place / "Dockerfile").write_text("FROM x\n")
    (place / "sub/run").write_text("#!/bin/sh\n")
    (place / "sub/run").chmod(0o755)
    return place


def test_it_is_twelve_hexadecimal_digits(folder: Path) -> None:
    value = context_hash(folder, {})
    assert len(value) == HASH_LENGTH == 12
    int(value, 16)


def test_times_places_and_other_peoples_modes_do_not_count(folder: Path, tmp_path: Path) -> None:
    before = context_hash(folder, {"A": "1", "B": "2"})
    copy = tmp_path / "elsewhere/checkout"
    shutil.copytree(folder, copy)
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    (copy / "Dockerfile").chmod(0o600)
    (copy / "sub/run").chmod(0o700)
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__/x.pyc").write_bytes(b"x")
    assert context_hash(copy, {"B": "2", "A": "1"}) == before


def content(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM y\n")


def renamed(folder: Path) -> None:
    (folder / "sub/run").rename(folder / "sub/go")


def moved(folder: Path) -> None:
    (folder / "sub/run").rename(folder / "run")


def not_executable(folder: Path) -> None:
    (folder / "sub/run").chmod(0o644)


def added(folder: Path) -> None:
    (folder / "empty").touch()


def removed(folder: Path) -> None:
    (folder / "sub/run").unlink()


def shifted(folder: Path) -> None:
    """The same bytes, cut at another place between two files."""
    (folder / "Dockerfile").write_text("FROM x\n#")
    (folder / "sub/run").write_text("!/bin/sh\n")


@pytest.mark.parametrize("change", [content, renamed, moved, not_executable, added, removed, shifted])
def test_each_change_of_the_content_changes_it(folder: Path, change: object) -> None:
    before = context_hash(folder, {})
    assert callable(change)
    change(folder)
    assert context_hash(folder, {}) != before


def test_arguments_change_it_and_cannot_be_mistaken_for_each_other(folder: Path) -> None:
    values = [{}, {"A": ""}, {"A": "1"}, {"A": "12"}, {"A1": "2"}, {"A": "1", "B": "2"}, {"A": "1B=2"}]
    assert len({context_hash(folder, value) for value in values}) == len(values)


def test_the_bases_recipe_is_part_of_every_image(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr("components.context.IMAGES_FOLDER", tmp_path / "images")
    base = tmp_path / "images/base"
    base.mkdir(parents=True)
    (base / "Dockerfile").write_text("ARG DEBIAN\n")
    before = context_hash(folder, build_arguments())
    (base / "Dockerfile").write_text("ARG DEBIAN\nFROM ${DEBIAN}\n")
    assert context_hash(folder, build_arguments()) != before


def test_a_host_without_proxies_and_mirrors_contributes_nothing(tmp_path: Path) -> None:
    assert host_arguments({"PATH": "/bin", "HOME": "/root"}, tmp_path) == {}


def test_proxies_come_in_both_notations_and_reach_maven_too(tmp_path: Path) -> None:
    found = host_arguments(
        {"https_proxy": "http://me:p%26w@proxy.lan:3128", "NO_PROXY": "localhost,.lan"}, tmp_path
    )
    assert found["HTTPS_PROXY"] == found["https_proxy"] == "http://me:p%26w@proxy.lan:3128"
    assert found["NO_PROXY"] == found["no_proxy"] == "localhost,.lan"
    proxy = ET.fromstring(found["MAVEN_SETTINGS"]).find("proxies/proxy")
    assert proxy is not None
    assert {node.tag: node.text for node in proxy} == {
        "id": "https",
        "active": "true",
        "protocol": "https",
        "host": "proxy.lan",
        "port": "3128",
        "username": "me",
        "password": "p&w",
        "nonProxyHosts": "localhost|*.lan",
    }


def test_indexes_are_passed_on(tmp_path: Path) -> None:
    given = {
        "PIP_INDEX_URL": "https://pypi.lan/simple",
        "GOPROXY": "https://go.lan",
        "npm_config_registry": "https://npm.lan",
        "PIP_FIND_LINKS": "/opt/wheels",
    }
    assert host_arguments(given, tmp_path) == {
        "PIP_INDEX_URL": "https://pypi.lan/simple",
        "GOPROXY": "https://go.lan",
        "NPM_CONFIG_REGISTRY": "https://npm.lan",
    }


def test_mavens_own_settings_win(tmp_path: Path) -> None:
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2/settings.xml").write_text("<settings><mirrors/></settings>")
    found = host_arguments({"HTTPS_PROXY": "http://proxy.lan:3128"}, tmp_path)
    assert found["MAVEN_SETTINGS"] == "<settings><mirrors/></settings>"


def test_maven_gets_no_settings_without_a_proxy() -> None:
    assert maven_settings({"NO_PROXY": "localhost"}) == ""


def test_what_the_host_contributes_changes_no_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    from operations.images import build_args, tag_of

    before = tag_of("kafka")
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:canary@pypi.lan/simple")
    assert build_args()["PIP_INDEX_URL"] == "https://user:canary@pypi.lan/simple"
    assert build_args()["BASE"] == "clinical-mlops/base:bookworm"
    assert tag_of("kafka") == before
