"""Failures of the toolchain that a user can read and act upon."""

import re
from pathlib import Path

LAST_LINES = 15

HINTS = (
    (r"No space left on device", "free disk space: the builds need about 6 GB (Go's caches included)"),
    (
        r"signal: killed|Killed",
        "the machine ran out of memory: close other programs (a build needs about 3 GB)",
    ),
    (
        r"x509:|CERTIFICATE_VERIFY_FAILED|SSLError",
        "the network's TLS certificate is not trusted: point SSL_CERT_FILE and PIP_CERT to its CA bundle",
    ),
    (
        r"(go: |Get \").*(dial tcp|no such host|i/o timeout|refused|Forbidden|Not Found|GOPROXY)",
        "the Go module proxy could not be reached or refused a module: check the network, and set "
        "GOPROXY to the proxy of your network (`go env GOPROXY` shows the one in use)",
    ),
    (
        r"No matching distribution|Could not find a version|NewConnectionError|ConnectTimeout|ProxyError",
        "the Python package index could not be reached or does not have a package: check the network, and "
        "set PIP_INDEX_URL to the index of your network (`pip config list` shows the one in use)",
    ),
    (
        r"updates to go\.(mod|sum) needed|missing go\.sum entry",
        "go.mod and go.sum do not fit together: run `go mod tidy` in that part's folder below toolchain/",
    ),
)


class ToolchainError(Exception):
    """The engine cannot be installed or does not work; the message says what to do."""


def advice(log_text: str) -> str:
    """What to do about a failed step, from what its log says."""
    for pattern, hint in HINTS:
        if re.search(pattern, log_text):
            return hint
    return "read the log, then run the command again: what is finished already is not done twice"


def step_failed(what: str, why: str, log: Path) -> ToolchainError:
    """The error for a step that failed: what, why, the end of its log, and what to do.

    `log` is a file; it is named in full, so that it is found from any directory.
    """
    text = log.read_text(errors="replace") if log.exists() else ""
    tail = "\n".join(f"  {line}" for line in text.splitlines()[-LAST_LINES:])
    return ToolchainError(f"{what} failed: {why}.\nThe end of {log}:\n{tail}\nWhat to do: {advice(text)}.")
