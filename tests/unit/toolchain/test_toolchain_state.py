"""What is installed already is recognised: official, ours, outdated, or not there."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain import build
from toolchain.errors import ToolchainError
from toolchain.parts import CLI, LANGUAGE_HOST, PARTS, PLUGINS
from toolchain.places import MARK, SOURCES, command_file, digest, plugin_folder
from toolchain.state import Found, environment, official_cli, state

Write = Callable[[Path, str], Path]
DOCKER = PLUGINS[0]
GOOD, OLD = "echo v3.300.0", "echo v3.100.0"


def install_ours(home: Path, write: Write) -> None:
    """Puts a command and a launcher of ours where the toolchain puts them."""
    made = home / "making"
    write(made / "pulumi", GOOD)
    build.put_command(CLI, made)
    build.install_language_host(LANGUAGE_HOST, home / "python", home / "making-host")


def official(folder: Path, write: Write, version: str = GOOD) -> Path:
    """Puts an official command and its language host into a folder."""
    write(folder / "pulumi-language-python", "exit 0")
    return write(folder / "pulumi", version)


def test_an_empty_home_lacks_every_part(home: Path) -> None:
    """Nothing is taken for installed by mistake."""
    assert {part.name: state(part) for part in PARTS} == {part.name: Found.MISSING for part in PARTS}


def test_a_digest_changes_with_the_parts_own_sources_only(tmp_path: Path) -> None:
    """A changed source installs its own part anew, no other; what Python caches does not count."""
    shutil.copytree(SOURCES / "docker", tmp_path / "docker")
    shutil.copytree(SOURCES / "bridge", tmp_path / "bridge")
    shutil.copytree(SOURCES / "kafka", tmp_path / "kafka")
    docker, kafka = PLUGINS[:2]
    before = digest(docker, tmp_path), digest(kafka, tmp_path)
    (tmp_path / "docker/__pycache__").mkdir()
    (tmp_path / "docker/__pycache__/x.pyc").touch()
    assert (digest(docker, tmp_path), digest(kafka, tmp_path)) == before
    with (tmp_path / "docker/main.go").open("a") as source:
        source.write("// more\n")
    assert digest(docker, tmp_path) != before[0]
    assert digest(kafka, tmp_path) == before[1]
    (tmp_path / "bridge/more.go").touch()
    assert digest(kafka, tmp_path) != before[1]
    assert digest(replace(kafka, version="9.9.9"), tmp_path) != digest(kafka, tmp_path)


def test_a_plugin_without_our_mark_is_official(home: Path) -> None:
    """An official plugin of that version wins, also when it was put in the place of ours."""
    folder = plugin_folder(DOCKER)
    folder.mkdir(parents=True)
    (folder / "pulumi-resource-docker").touch()
    assert state(DOCKER) is Found.OFFICIAL


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        (json.dumps({"digest": digest(DOCKER)}), Found.OURS),
        (json.dumps({"digest": "another"}), Found.OUTDATED),
        ("{cut off", Found.OUTDATED),
    ],
)
def test_a_plugin_of_ours_is_current_by_its_digest(home: Path, mark: str, expected: Found) -> None:
    """Ours is kept while its sources are the same, and made anew otherwise."""
    plugin_folder(DOCKER).mkdir(parents=True)
    (plugin_folder(DOCKER) / MARK).write_text(mark)
    assert state(DOCKER) is expected


def test_a_half_installed_plugin_is_missing(home: Path) -> None:
    """The engine marks an installation that was interrupted; so it is repeated."""
    folder = plugin_folder(DOCKER)
    folder.mkdir(parents=True)
    (folder / "pulumi-resource-docker").touch()
    folder.with_name(f"{folder.name}.partial").touch()
    assert state(DOCKER) is Found.MISSING


def test_ours_is_recognised_and_outdated_by_its_sources(
    home: Path, executable: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command and the language host are ours by their links, current by their digests."""
    install_ours(home, executable)
    assert (state(CLI), state(LANGUAGE_HOST)) == (Found.OURS, Found.OURS)
    monkeypatch.setattr("toolchain.state.digest", lambda part: "another")
    assert (state(CLI), state(LANGUAGE_HOST)) == (Found.OUTDATED, Found.OUTDATED)


def test_an_official_command_on_path_wins_over_ours(
    home: Path, executable: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it brings its own language host."""
    install_ours(home, executable)
    command = official(tmp_path / "official", executable)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    assert official_cli() == command
    assert (state(CLI), state(LANGUAGE_HOST)) == (Found.OFFICIAL, Found.OFFICIAL)
    assert environment()["PATH"] == os.environ["PATH"]


def test_an_official_command_put_in_the_place_of_ours_wins(home: Path, executable: Write) -> None:
    """Pulumi's own installer uses the same folder."""
    install_ours(home, executable)
    for name in ("pulumi", "pulumi-language-python"):
        (home / "bin" / name).unlink()
    official(home / "bin", executable)
    assert state(CLI) is Found.OFFICIAL
    assert environment()["PATH"].startswith(f"{home}/bin:")


def test_an_old_command_on_path_does_not_count(
    home: Path, executable: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot run the program; ours goes before it on PATH."""
    old = official(tmp_path / "old", executable, OLD)
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    assert state(CLI) is Found.MISSING
    install_ours(home, executable)
    assert state(CLI) is Found.OURS
    assert environment()["PATH"].startswith(f"{home}/bin:{old.parent}:")


def test_an_old_command_in_our_place_is_not_overwritten(home: Path, executable: Write) -> None:
    """What a user installed is the user's: the message names it and says what to do."""
    old = official(home / "bin", executable, OLD)
    with pytest.raises(ToolchainError, match=rf"{old} is older than .*upgrade it .* or remove it"):
        state(CLI)


def test_a_copy_of_a_home_is_made_anew(home: Path, executable: Write) -> None:
    """Copying loses the links; a command of ours must not pass for an official one then."""
    install_ours(home, executable)
    shutil.rmtree(home / "clinical-toolchain")
    assert (state(CLI), state(LANGUAGE_HOST)) == (Found.MISSING, Found.MISSING)


def test_the_environment_is_what_pulumi_needs_and_nothing_else(home: Path, executable: Write) -> None:
    """Downloads of plugins are off where one of ours stands in for an official part."""
    install_ours(home, executable)
    assert environment() == {
        "PATH": f"{home}/bin:/usr/bin:/bin",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def test_an_official_engine_may_download_plugins(
    home: Path, executable: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where everything is official, Pulumi's downloads can be reached."""
    command = official(tmp_path / "official", executable)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in environment()


def test_builds_from_other_sources_are_removed(home: Path, executable: Write) -> None:
    """A build of the command takes 120 MB: the cache holds one."""
    stale = home / "clinical-toolchain" / "pulumi-0000000000000000"
    executable(stale / "pulumi", GOOD)
    install_ours(home, executable)
    assert not stale.exists()
    assert command_file(CLI).exists()
