"""A program that takes OpenSSH's arguments: it notes them, and forwards to this machine, or says why not and ends.

In the environment's FAKE_SSH `says` is what it prints before it ends with 255, `ports` where each port of the other machine is to
be found, and `folder` where the notes are.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import sys
import threading
from pathlib import Path


def relay(source: socket.socket, target: socket.socket) -> None:
    """Hands on what comes, and its end."""
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def serve(listener: socket.socket, family: socket.AddressFamily, target: str | tuple[str, int] | None) -> None:
    """Takes each connection, and closes it where it leads nowhere, as OpenSSH does."""
    while True:
        near, _ = listener.accept()
        far = socket.socket(family)
        try:
            far.connect(target or ("127.0.0.1", 1))
        except OSError:
            print(f"channel 3: open failed: connect failed: "
                  f"{'open failed' if family is socket.AF_UNIX else 'Connection refused'}", file=sys.stderr, flush=True)
            near.close()
            continue
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=relay, args=(one, other), daemon=True).start()


def main(arguments: list[str]) -> int:
    """Ends only when it is ended, or at once with what it is to say."""
    told = json.loads(os.environ["FAKE_SSH"])
    Path(told["folder"], f"{os.getpid()}.json").write_text(json.dumps(arguments))
    if told.get("says"):
        print(told["says"], file=sys.stderr)
        return 255
    for forward in (value for option, value in itertools.pairwise(arguments) if option == "-L"):
        parts = forward.split(":")
        if len(parts) == 2:
            listener, family = socket.socket(socket.AF_UNIX), socket.AF_UNIX
            listener.bind(parts[0])
            listener.listen()
            target: str | tuple[str, int] | None = parts[1]
        else:
            listener, family = socket.create_server((parts[0], int(parts[1]))), socket.AF_INET
            there = told.get("ports", {}).get(parts[3])
            target = ("127.0.0.1", there) if there else None
        threading.Thread(target=serve, args=(listener, family, target), daemon=True).start()
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
