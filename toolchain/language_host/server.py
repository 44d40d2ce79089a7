"""Pulumi's language host for Python, on the gRPC stubs of the `pulumi` package.

The engine starts it with the engine's address as the last argument, reads the port from the first line of
standard output, and shows every later line as a message.
"""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime.proto import language_pb2_grpc

from .host import Host

MESSAGE_BYTES = 400 << 20  # the engine's own limit
CALLS = 64  # a call lasts as long as its program or plugin runs


def main(version: str) -> None:
    """Serves until the engine has gone."""
    # The engine ends its process group with SIGINT; a handler of Python's may run too late or never.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    limits = [(f"grpc.max_{way}_message_length", MESSAGE_BYTES) for way in ("receive", "send")]
    server = grpc.server(ThreadPoolExecutor(CALLS), options=limits)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(version, sys.argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.buffer.read()  # standard input ends with the engine
    os.killpg(0, signal.SIGTERM)  # and so do the programs that it had us start
