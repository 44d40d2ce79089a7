"""`python -m operations.tunnel FILE COMMAND…`: runs a command for as long as somebody holds a shared lock on FILE.

Several commands share one SSH connection this way, and it ends with the last of them, however that one ends: the kernel gives the
lock of a killed process back.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from typing import IO

LOOK_SECONDS = 0.2
END_SECONDS = 5


def abandoned(users: IO[str]) -> bool:
    """Whether nobody holds the lock any more; it is ours then, so that whoever comes now waits until we have ended."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(file: str, *command: str) -> int:
    """The command's exit status, or 0 when it was ended because nobody needed it any more."""
    with open(file, "a") as users, subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        while (status := process.poll()) is None:
            if abandoned(users):
                process.terminate()
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                return 0
            time.sleep(LOOK_SECONDS)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
