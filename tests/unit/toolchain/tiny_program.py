"""A tiny Python program that the installed engine runs."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

import toolchain


class Program:
    """A tiny Python program with a stack, a state and a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            **toolchain.environment(),
            "PULUMI_BACKEND_URL": f"file://{folder}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
        }
        self.runs_on(sys.prefix)
        self.write("")
        self.pulumi("stack", "init", "dev", "--no-select")

    def runs_on(self, virtualenv: str) -> None:
        """Sets runtime.options.virtualenv."""
        runtime = {"name": "python", "options": {"virtualenv": virtualenv}}
        project = {"name": "tiny", "runtime": runtime}
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))

    def write(self, text: str) -> None:
        """Sets the program."""
        (self.folder / "__main__.py").write_text(text)

    def command(self, *arguments: str) -> list[str]:
        """The command line for the engine."""
        return ["pulumi", *arguments, "--non-interactive", "--cwd", str(self.folder)]

    def pulumi(self, *arguments: str) -> tuple[int, str]:
        """Runs the engine: its exit status, and all that it shows."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    def preview(self, text: str, *arguments: str) -> tuple[int, str]:
        """Previews a program: the exit status, and all that is shown."""
        self.write(text)
        return self.pulumi("preview", "--stack", "dev", *arguments)
