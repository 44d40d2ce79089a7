"""The processes that the language host starts."""

import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc


@dataclass(frozen=True)
class Chunk:
    """Bytes that a process wrote: `name` is stdout or stderr."""

    name: str
    data: bytes

    def field(self) -> dict[str, Any]:
        """The bytes as the field of the message that takes them to the engine."""
        return {self.name: self.data}


def answer(executable: str, script: str) -> str:
    """What a short script prints under that interpreter."""
    return subprocess.run([executable, "-c", script], check=True, capture_output=True, text=True).stdout


def stream(
    command: list[str],
    context: grpc.ServicerContext,
    *,
    folder: str,
    env: Mapping[str, str] | None = None,
) -> Iterator[Chunk | int]:
    """Yields what the command writes while it runs, and at last its exit status.

    The process ends with the engine's call. `env` None means the environment of this process.
    """
    child = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    context.add_callback(child.terminate)
    chunks: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()

    def pump(name: str) -> None:
        pipe = getattr(child, name)
        while data := pipe.read1(65536):
            chunks.put(Chunk(name, data))
        chunks.put(None)

    for name in ("stdout", "stderr"):
        threading.Thread(target=pump, args=(name,), daemon=True).start()
    for _ in range(2):  # each pipe ends once
        while chunk := chunks.get():
            yield chunk
    yield child.wait()
