"""A health check asks each second until the service is healthy, then rarely, and after a failure each second again."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from components.service import ATTEMPTS, HEALTHY_MARK, PACED, REST_SECONDS, Health


class Place:
    """A folder with a `sleep` that only notes down how long it was asked to, and a service that can be up or down."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mark, self.up = folder, folder / "mark", folder / "up"
        self.slept, self.asked = folder / "slept", folder / "asked"
        for name, script in {"sleep": f'echo "$1" >> {self.slept}', "probe": f"echo x >> {self.asked}; test -e {self.up}"}.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)

    def check(self) -> tuple[int, list[str], int]:
        """One check: its exit status, the pauses it made, and how often it asked."""
        for noted in (self.slept, self.asked):
            noted.write_text("")
        status = subprocess.run(["sh", "-c", PACED, str(self.mark), "5", "probe"], check=False,
                                env={"PATH": f"{self.folder}:/usr/bin:/bin"}).returncode
        return status, self.slept.read_text().split(), len(self.asked.read_text().split())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A service that is up."""
    found = Place(tmp_path)
    found.up.touch()
    return found


def test_a_service_that_answers_is_healthy_at_once(place: Place) -> None:
    """The first check has no pause: what depends on the service waits for it."""
    assert place.check() == (0, [], 1)


def test_a_healthy_service_is_asked_rarely(place: Place) -> None:
    """The next check rests before it asks."""
    place.check()
    assert place.check() == (0, [str(REST_SECONDS)], 1)


def test_a_service_that_is_not_there_yet_is_asked_each_second(place: Place) -> None:
    """One process of Docker's asks several times; Docker hears of the failure at its end."""
    place.up.unlink()
    assert place.check() == (1, ["1"] * (ATTEMPTS - 1), ATTEMPTS)


def test_a_failure_makes_the_next_checks_quick_again(place: Place) -> None:
    """A service that was healthy and fails is looked at without a pause until it is healthy again."""
    place.check()
    place.up.unlink()
    assert place.check()[0] == 1
    place.up.touch()
    assert place.check() == (0, [], 1)
    assert place.check()[1] == [str(REST_SECONDS)]


def test_a_probe_that_hangs_is_ended(place: Place) -> None:
    """It counts as a failed attempt."""
    status = subprocess.run(["sh", "-c", PACED, str(place.mark), "0.01", "tail", "-f", "/dev/null"], check=False,
                            env={"PATH": f"{place.folder}:/usr/bin:/bin"}).returncode
    assert status == 1 and not place.mark.exists()


@pytest.mark.parametrize("seconds", [1, 5, 20])
def test_docker_waits_longer_than_any_check_may_take(seconds: int) -> None:
    """Docker's own limit ends a check without removing its mark, so it must not come first; and it is written as Docker does."""
    written = re.fullmatch(r"(?:(\d+)m)?(\d+)s", Health(["probe"], seconds=seconds).longest)
    assert written and int(written[2]) < 60
    assert int(written[1] or 0) * 60 + int(written[2]) > REST_SECONDS + ATTEMPTS * seconds + ATTEMPTS - 1


def test_the_probe_gets_its_command_as_it_was_given() -> None:
    """Spaces and quotes of an argument stay what they are."""
    command = ["bash", "-c", 'printf "%s" "a b"']
    assert Health(command).tests == ["CMD", "sh", "-c", PACED, HEALTHY_MARK, "5", *command]
