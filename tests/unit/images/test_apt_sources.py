"""The base image's apt sources are the host's Debian mirror, in either notation, whoever else is listed."""

from pathlib import Path

import pytest

from operations.setup.apt_sources import Mirrors, Source, host_mirrors, parse_deb822, parse_lines

DEBIAN = 'PRETTY_NAME="Debian"\nID=debian\nVERSION_CODENAME={}\n'
STANZAS = """# a comment
Types: deb deb-src
# http://snapshot.example/of/the/day
URIs: http://mirror.lan/debian
Suites: bookworm
  bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.lan/security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text(DEBIAN.format("bookworm"))
    return tmp_path


def test_stanzas_give_their_mirror_with_updates_and_security(root: Path) -> None:
    (root / "etc/apt/sources.list.d/debian.sources").write_text(STANZAS)
    found = host_mirrors(root)
    assert found == Mirrors("http://mirror.lan/debian", "http://mirror.lan/security")
    assert found.sources().splitlines() == [
        "deb http://mirror.lan/debian bookworm main",
        "deb http://mirror.lan/debian bookworm-updates main",
        "deb http://mirror.lan/security bookworm-security main",
    ]


def test_lines_give_the_same(root: Path) -> None:
    (root / "etc/apt/sources.list").write_text(
        "# deb http://old.lan/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/x.gpg] http://mirror.lan/debian bookworm main # note\n"
        "deb-src http://src.lan/debian bookworm main\n"
        "deb http://mirror.lan/debian bookworm-updates main\n"
        "deb http://mirror.lan/security bookworm-security main contrib\n"
    )
    assert host_mirrors(root) == Mirrors("http://mirror.lan/debian", "http://mirror.lan/security")


def test_another_vendor_that_uses_the_releases_name_is_not_taken_for_debian(root: Path) -> None:
    (root / "etc/apt/sources.list.d/a-vendor.list").write_text("deb https://vendor.lan bookworm main\n")
    (root / "etc/apt/sources.list.d/docker.list").write_text(
        "deb https://docker.lan/debian bookworm stable\n"
    )
    (root / "etc/apt/sources.list.d/debian.sources").write_text(STANZAS)
    assert host_mirrors(root) == Mirrors("http://mirror.lan/debian", "http://mirror.lan/security")


def test_a_newer_host_gives_its_mirror_for_the_bases_own_release(root: Path) -> None:
    (root / "etc/os-release").write_text(DEBIAN.format("trixie"))
    (root / "etc/apt/sources.list.d/debian.sources").write_text(STANZAS.replace("bookworm", "trixie"))
    found = host_mirrors(root)
    assert found is not None
    assert "trixie" not in found.sources()
    assert "deb http://mirror.lan/debian bookworm main" in found.sources()


def test_a_disabled_stanza_does_not_count(root: Path) -> None:
    (root / "etc/apt/sources.list.d/debian.sources").write_text(
        STANZAS.replace("Types: deb deb-src", "Enabled: no\nTypes: deb")
    )
    assert host_mirrors(root) is None


def test_a_mirror_list_gives_its_first_address_and_media_none(root: Path) -> None:
    (root / "etc/apt/mirrors").mkdir()
    (root / "etc/apt/mirrors/debian.list").write_text(
        "# first\nhttps://near.lan/debian priority:1\nhttps://far.lan/debian\n"
    )
    (root / "etc/apt/sources.list").write_text(
        "deb cdrom:[Debian]/ bookworm main\ndeb mirror+file:/etc/apt/mirrors/debian.list bookworm main\n"
    )
    assert host_mirrors(root) == Mirrors("https://near.lan/debian", None)


def test_a_host_without_security_updates_adds_no_line_for_them() -> None:
    assert "security" not in Mirrors("http://mirror.lan/debian", None).sources()


@pytest.mark.parametrize("release", ["ID=ubuntu\nVERSION_CODENAME=bookworm\n", "", "ID=debian\n"])
def test_a_host_that_is_no_debian_has_no_mirror(root: Path, release: str) -> None:
    (root / "etc/os-release").write_text(release)
    (root / "etc/apt/sources.list.d/debian.sources").write_text(STANZAS)
    assert host_mirrors(root) is None


def test_an_empty_host_has_no_mirror(tmp_path: Path) -> None:
    assert host_mirrors(tmp_path) is None


def test_both_notations_are_read_in_full() -> None:
    assert parse_lines("deb http://a b c d") == [Source("http://a", "b", ("c", "d"))]
    assert parse_deb822("Types: deb\nURIs: http://a http://b\nSuites: x y\nComponents: main\n") == [
        Source(uri, suite, ("main",)) for uri in ("http://a", "http://b") for suite in ("x", "y")
    ]
