"""The base image is made anew when its recipe, mirrors or authorities change, and trusts the host's."""

import io
import os
import tarfile
from pathlib import Path

import docker.errors
import pytest
from rich.console import Console

from operations.images import ImageError
from operations.setup import base_image
from operations.setup.apt_sources import Mirrors
from operations.setup.certificates import certificates, extra_certificates, pem


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[Path, Path]:
    """The host's own authorities (one) and Debian's (one)."""
    host, debian = tmp_path / "host/nested", tmp_path / "debian/mozilla"
    host.mkdir(parents=True)
    debian.mkdir(parents=True)
    (host / "inspection.crt").write_bytes(pem(b"inspection" * 30))
    (debian / "public.crt").write_bytes(pem(b"public" * 30))
    return host.parent, debian.parent


def test_a_bundle_adds_what_the_host_lacks_one_certificate_a_file(
    tmp_path: Path, trusted: tuple[Path, Path]
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(
        b"# Corporate\n" + pem(b"corporate" * 30) + pem(b"public" * 30) + pem(b"inspection" * 30)
    )
    found = extra_certificates(bundle, *trusted)
    assert sorted(found.values()) == sorted([pem(b"corporate" * 30), pem(b"inspection" * 30)])
    assert all(name.endswith(".crt") for name in found)


def test_the_order_of_a_bundle_does_not_matter(tmp_path: Path, trusted: tuple[Path, Path]) -> None:
    one, other = tmp_path / "one.pem", tmp_path / "other.pem"
    one.write_bytes(pem(b"a" * 90) + pem(b"b" * 90))
    other.write_bytes(pem(b"b" * 90) + pem(b"a" * 90))
    assert extra_certificates(one, *trusted) == extra_certificates(other, *trusted)


def test_a_certificate_survives_being_read_and_written(tmp_path: Path) -> None:
    file = tmp_path / "x.crt"
    file.write_bytes(pem(bytes(range(256)) * 4))
    assert certificates(file) == [bytes(range(256)) * 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist: correct or remove the setting clinical:caBundle"),
        ("no certificate", "holds no PEM certificate: clinical:caBundle must name"),
        (
            "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n",
            "damaged certificate: replace the file",
        ),
    ],
)
def test_a_wrong_bundle_is_named_with_what_to_do(
    tmp_path: Path, trusted: tuple[Path, Path], content: str | None, message: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(ImageError) as error:
        extra_certificates(bundle, *trusted)
    assert str(bundle) in str(error.value)
    assert message in str(error.value)


def test_the_identity_follows_recipe_mirrors_and_authorities(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("ARG DEBIAN\n")
    monkeypatch.setattr(base_image, "RECIPE", tmp_path)
    extras = {"certificates/a.crt": b"a", "sources.list": b"deb x"}
    seen = [
        base_image.identity(extras),
        base_image.identity({**extras, "certificates/b.crt": b"b"}),
        base_image.identity({**extras, "certificates/a.crt": b"c"}),
        base_image.identity({**extras, "sources.list": b"deb y"}),
    ]
    (tmp_path / "Dockerfile").write_text("ARG DEBIAN\nFROM ${DEBIAN}\n")
    seen.append(base_image.identity(extras))
    assert len(set(seen)) == len(seen)


def test_the_context_is_readable_and_owned_by_root_whatever_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("ARG DEBIAN\n")
    (tmp_path / "Dockerfile").chmod(0o600)
    monkeypatch.setattr(base_image, "RECIPE", tmp_path)
    with tarfile.open(fileobj=io.BytesIO(base_image.context({"certificates/a.crt": b"a"}))) as archive:
        files = {entry.name: (entry.mode, entry.uid, entry.gid) for entry in archive if entry.isfile()}
        assert archive.getmember("certificates").isdir()
    assert files == {"Dockerfile": (0o644, 0, 0), "certificates/a.crt": (0o644, 0, 0)}


class Daemon:
    """A daemon without images."""

    class images:
        @staticmethod
        def get(tag: str) -> None:
            raise docker.errors.ImageNotFound(tag)


@pytest.mark.parametrize(
    ("mirrors", "why"),
    [
        (None, "this host is no Debian"),
        (Mirrors("http://mirror.lan/debian", None), "needs root on Debian."),
    ],
)
def test_a_host_that_can_neither_pull_nor_bootstrap_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mirrors: Mirrors | None, why: str
) -> None:
    monkeypatch.setattr(base_image, "pull", lambda console: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ImageError) as error:
        base_image.debian_image(Daemon(), Console(), tmp_path / "log", mirrors)  # type: ignore[arg-type]
    assert why in str(error.value)
    assert "sudo make up" in str(error.value)
    assert "docker load" in str(error.value)


def test_none_is_bootstrapped_for_a_machine_of_another_kind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Far(Daemon):
        """A daemon on another machine."""

        @staticmethod
        def info() -> dict[str, str]:
            return {"Architecture": "vax"}

    monkeypatch.setattr(base_image, "pull", lambda console: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(base_image.CannotMake, match="Docker's machine is vax"):
        base_image.debian_image(Far(), Console(), tmp_path / "log", Mirrors("http://mirror.lan/debian", None))  # type: ignore[arg-type]


def test_licences_stay_when_the_system_is_slimmed(tmp_path: Path) -> None:
    for name in (
        "usr/share/doc/x/copyright",
        "usr/share/doc/x/changelog",
        "var/cache/apt/archives/x.deb",
        "etc/x",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    base_image.slim(tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["etc/x", "usr/share/doc/x/copyright"]


@pytest.mark.parametrize("present", [True, False])
def test_a_base_from_another_machine_is_kept_where_none_can_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, present: bool
) -> None:
    monkeypatch.setattr(base_image, "connect", Daemon)
    monkeypatch.setattr(base_image, "host_mirrors", lambda: None)
    monkeypatch.setattr(base_image, "pull", lambda console: False)
    monkeypatch.setattr(base_image, "log_file", lambda name: tmp_path / name)
    monkeypatch.setattr(base_image, "label_of", lambda client, tag: "another" if present else None)
    console = Console(file=io.StringIO(), width=200)
    if present:
        base_image.ensure_base(console, None)
        assert "keeping clinical-mlops/base:bookworm" in console.file.getvalue()  # type: ignore[attr-defined]
    else:
        with pytest.raises(ImageError, match="docker load"):
            base_image.ensure_base(console, None)
