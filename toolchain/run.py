"""Running the commands of a step, with a log to read when one fails."""

import subprocess
from pathlib import Path

from toolchain.errors import ToolchainError, step_failed


def logged(
    what: str,
    command: list[str],
    log: Path,
    *,
    env: dict[str, str],
    folder: Path | None = None,
    timeout: float | None = None,
) -> None:
    """Runs a command with all that it prints added to `log`.

    Raises ToolchainError when it cannot be started, fails, or takes more than `timeout` seconds.
    """
    with log.open("a") as output:
        output.write(f"$ {' '.join(command)}\n")
        output.flush()
        try:
            status = subprocess.run(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise step_failed(what, f"{command[0]} did not end within {timeout:.0f} s", log) from None
        except OSError as error:
            raise ToolchainError(f"{what} failed: {command[0]} cannot be run: {error.strerror}.") from None
    if status:
        raise step_failed(what, f"{Path(command[0]).name} ended with exit status {status}", log)


def answer(command: list[str], env: dict[str, str], timeout: float = 60) -> str:
    """What a command prints. Raises ToolchainError with its own words when it fails."""
    try:
        done = subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(f"`{' '.join(command)}` cannot be run: {error}.") from None
    if done.returncode:
        raise ToolchainError(f"`{' '.join(command)}` failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
