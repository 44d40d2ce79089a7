"""A failed step names its log, shows the end of it, and says what to do."""

import os
import sys
from pathlib import Path

import pytest

from toolchain.errors import ToolchainError, advice, step_failed
from toolchain.run import answer, logged


@pytest.mark.parametrize(
    ("log", "remedy"),
    [
        ("go: example.org/x@v1: Get: dial tcp: lookup proxy: no such host", "GOPROXY"),
        ('example.org/x@v1: Get "http://proxy/x.zip": dial tcp: connect: connection refused', "GOPROXY"),
        ("go: example.org/x@v1: reading: 403 Forbidden", "GOPROXY"),
        ("go: download: tls: failed to verify certificate: x509: unknown authority", "SSL_CERT_FILE"),
        ("ERROR: No matching distribution found for pulumi==9", "PIP_INDEX_URL"),
        ("write /tmp/x: No space left on device", "disk space"),
        ("compile: signal: killed", "memory"),
        ("go: updates to go.mod needed", "go mod tidy"),
        ("something new", "read the log"),
    ],
)
def test_the_advice_fits_the_cause(log: str, remedy: str) -> None:
    """Each known cause has its own remedy; an unknown one sends the user to the log."""
    assert remedy in advice(log)


def test_the_message_has_the_last_fifteen_lines_of_the_log(tmp_path: Path) -> None:
    """Enough to see the cause, not so much that it scrolls away."""
    log = tmp_path / "toolchain-x.log"
    log.write_text("\n".join(f"line-{number:02}" for number in range(1, 21)))
    message = str(step_failed("building x", "go ended with exit status 1", log))
    assert str(log) in message
    assert "line-06" in message and "line-20" in message
    assert "line-05" not in message


def test_a_failing_command_is_logged_with_its_output(tmp_path: Path) -> None:
    """The log has the command line and both outputs."""
    log = tmp_path / "x.log"
    command = [sys.executable, "-c", "import sys; print('seen'); sys.exit('broken')"]
    with pytest.raises(ToolchainError, match=r"building x failed: python\S* ended with exit status 1"):
        logged("building x", command, log, env=dict(os.environ))
    assert "seen" in log.read_text() and "broken" in log.read_text() and sys.executable in log.read_text()


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    """A download that stalls does not stall the set-up."""
    with pytest.raises(ToolchainError, match="did not end within 1 s"):
        logged("downloading x", ["sleep", "60"], tmp_path / "x.log", env=dict(os.environ), timeout=1)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """No traceback for a command that does not exist."""
    with pytest.raises(ToolchainError, match="no-such-program"):
        logged("building x", ["no-such-program"], tmp_path / "x.log", env=dict(os.environ))
    with pytest.raises(ToolchainError, match="no-such-program"):
        answer(["no-such-program"], dict(os.environ))
