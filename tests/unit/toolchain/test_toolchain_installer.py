"""Each part is kept, downloaded or built; nothing half-done is left behind."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from toolchain import build, installer
from toolchain.downloads import Downloads
from toolchain.errors import ToolchainError
from toolchain.parts import CLI, PARTS, PLUGINS, Part
from toolchain.places import MARK, command_file, digest, plugin_folder
from toolchain.state import Found, state

DOCKER, KAFKA = PLUGINS[:2]


class Fake:
    """Stands in for downloads and builds, and notes what was asked for."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, reachable: bool = False, plugins: bool = True
    ) -> None:
        self.asked: list[str] = []
        self.plugins = plugins
        self.downloads = Downloads()
        self.downloads._reachable = reachable
        monkeypatch.setattr(self.downloads, "fetch_cli", self.fetch)
        monkeypatch.setattr(build, "compile_go", self.compile)
        monkeypatch.setattr(build, "copy_sources", lambda source, target: target.mkdir(exist_ok=True))
        monkeypatch.setattr(installer, "python_environment", lambda log: Path("/environment"))
        monkeypatch.setattr(installer, "logged", self.logged)
        monkeypatch.setattr(installer, "check", lambda part: None)
        monkeypatch.setattr(installer, "check_preview", lambda: None)

    def fetch(self, part: Part, target: Path, aside: Path) -> bool:
        """The official command arrives."""
        self.asked.append("fetch pulumi")
        target.mkdir(parents=True, exist_ok=True)
        for name, text in (("pulumi", "echo v3.274.1"), ("pulumi-language-python", "exit 0")):
            (target / name).write_text(f"#!/bin/sh\n{text}\n")
            (target / name).chmod(0o755)
        return True

    def compile(self, part: Part, output: Path, log: Path) -> None:
        """A build succeeds."""
        self.asked.append(f"compile {part.name}")
        output.write_text("#!/bin/sh\necho v3.274.1\n")
        output.chmod(0o755)

    def logged(self, what: str, command: list[str], log: Path, **options: object) -> None:
        """`pulumi plugin install` succeeds from a file, and from the network where `plugins` says so."""
        name, version, local = command[4], command[5], "--file" in command
        self.asked.append(f"{'install' if local else 'fetch'} {name}")
        if not local and not self.plugins:
            raise ToolchainError("cannot be reached")
        part = next(part for part in PLUGINS if (part.name, part.version) == (name, version))
        plugin_folder(part).mkdir(parents=True, exist_ok=True)
        content = json.dumps({"digest": digest(part)})
        (plugin_folder(part) / (MARK if local else "official")).write_text(content)

    def install(self) -> str:
        """Runs the installer; what it prints."""
        self.asked.clear()
        output = io.StringIO()
        installer.install(Console(file=output, width=400), self.downloads)
        return output.getvalue()


def test_parts_are_built_where_downloads_cannot_be_reached(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is there afterwards, and is ours; each part says when it begins and ends."""
    fake = Fake(monkeypatch)
    printed = fake.install()
    assert {state(part) for part in PARTS} == {Found.OURS}
    assert not any(step.startswith("fetch") for step in fake.asked)
    for part in PARTS:
        assert printed.count(f"engine: {part.title}:") == 2


def test_a_second_run_does_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    fake = Fake(monkeypatch)
    fake.install()
    printed = fake.install()
    assert fake.asked == []
    assert "already installed" in printed


def test_a_changed_source_installs_just_its_part(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are kept."""
    fake = Fake(monkeypatch)
    fake.install()
    (plugin_folder(KAFKA) / MARK).write_text(json.dumps({"digest": "of other sources"}))
    fake.install()
    assert fake.asked == ["compile kafka", "install kafka"]


def test_official_downloads_come_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built then, and the official command brings its own language host."""
    fake = Fake(monkeypatch, reachable=True)
    fake.install()
    assert fake.asked == ["fetch pulumi", *(f"fetch {part.name}" for part in PLUGINS)]
    assert {state(part) for part in PARTS} == {Found.OFFICIAL}


def test_a_failed_download_is_not_tried_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One time-out in a run, not one for each plugin."""
    fake = Fake(monkeypatch, reachable=True, plugins=False)
    fake.install()
    assert [step for step in fake.asked if step.startswith("fetch")] == ["fetch pulumi", "fetch docker"]
    assert {state(part) for part in PLUGINS} == {Found.OURS}


def test_an_interrupted_build_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle: no command, no folder to work in, and the next run starts that part again."""
    fake = Fake(monkeypatch)

    def interrupted(part: Part, output: Path, log: Path) -> None:
        output.write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build, "compile_go", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fake.install()
    assert not command_file(CLI).exists()
    assert [path.name for path in (home / "clinical-toolchain").iterdir()] == ["lock"]
    fake.install()
    assert state(CLI) is Found.OURS


@pytest.mark.parametrize("broken", [CLI, DOCKER], ids=["command", "plugin"])
def test_a_part_that_fails_its_check_is_not_installed(
    home: Path, monkeypatch: pytest.MonkeyPatch, broken: Part
) -> None:
    """Else the next run would take it for installed."""
    fake = Fake(monkeypatch)

    def fails(part: Part) -> None:
        if part is broken:
            raise ToolchainError("does not answer")

    monkeypatch.setattr(installer, "check", fails)
    with pytest.raises(ToolchainError, match="does not answer"):
        fake.install()
    assert state(broken) is Found.MISSING


def test_an_installed_python_plugin_names_the_toolchains_environment(home: Path, tmp_path: Path) -> None:
    """It must run without this checkout, and under the official language host too."""
    postgresql = PLUGINS[2]
    folder = tmp_path / "made"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "copy_sources", lambda source, target: target.mkdir(exist_ok=True))
        build.pack_python_plugin(postgresql, home / "clinical-toolchain/python-x", folder)
    runtime = (folder / "PulumiPlugin.yaml").read_text()
    assert f"virtualenv: {home}/clinical-toolchain/python-x" in runtime
    assert json.loads((folder / MARK).read_text()) == {"digest": digest(postgresql)}
