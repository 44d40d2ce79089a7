"""What keeps a tunnel open ends it with the last command that uses it, however that one ends."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from operations.remote import PROJECT_FOLDER

HOLDER = ("import fcntl, sys, time; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_SH); print('held', flush=True); "
          "time.sleep(600)")


def kept(lock: Path, *command: str) -> subprocess.Popen[bytes]:
    """A command that runs while somebody holds the lock."""
    return subprocess.Popen([sys.executable, "-m", "operations.tunnel", str(lock), *command], cwd=PROJECT_FOLDER)


def test_it_ends_with_a_command_that_is_killed(tmp_path: Path) -> None:
    """The lock is all that a command holds, and the kernel gives that back."""
    lock = tmp_path / "users"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        keeper = kept(lock, "sleep", "600")
        with pytest.raises(subprocess.TimeoutExpired):
            keeper.wait(1)
        holder.kill()
    assert keeper.wait(20) == 0


def test_it_ends_with_ssh(tmp_path: Path) -> None:
    """With its status, though somebody holds the lock."""
    with (tmp_path / "users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        assert kept(tmp_path / "users", "sh", "-c", "exit 7").wait(20) == 7
