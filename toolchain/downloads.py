"""Pulumi's own downloads: asked once in a run, with a short time-out."""

import platform
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from toolchain.parts import Part

RELEASES = "https://get.pulumi.com/releases/sdk"
CONNECT_SECONDS = 5
STALLED_SECONDS = 30
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class Downloads:
    """The official releases. After the first failure they count as out of reach for the rest of the run."""

    def __init__(self, releases: str = RELEASES) -> None:
        self.releases = releases
        self._reachable: bool | None = None

    def address(self, part: Part) -> str:
        """The archive of the command for this machine."""
        machine = MACHINES.get(platform.machine().lower(), platform.machine().lower())
        return f"{self.releases}/pulumi-v{part.version}-{platform.system().lower()}-{machine}.tar.gz"

    def reachable(self, part: Part) -> bool:
        """Whether the archive of the command `part` answers within CONNECT_SECONDS; asked at most once."""
        if self._reachable is None:
            try:
                request = urllib.request.Request(self.address(part), method="HEAD")
                with urllib.request.urlopen(request, timeout=CONNECT_SECONDS):
                    self._reachable = True
            except (OSError, HTTPException, ValueError):
                self._reachable = False
        return self._reachable

    def give_up(self) -> None:
        """Remembers that a download failed."""
        self._reachable = False

    def fetch_cli(self, part: Part, target: Path, aside: Path) -> bool:
        """Puts the official command and its language hosts into `target`; False when the download fails.

        Unpacked in `aside` (on the same file system) and then moved, the command last: an interrupted
        download leaves nothing that looks installed.
        """
        try:
            with tempfile.TemporaryFile() as archive:
                with urllib.request.urlopen(self.address(part), timeout=STALLED_SECONDS) as response:
                    shutil.copyfileobj(response, archive)
                archive.seek(0)
                with tarfile.open(fileobj=archive) as content:
                    content.extractall(aside, filter="data")
            commands = [path for path in (aside / "pulumi").iterdir() if path.is_file()]
        except (OSError, HTTPException, ValueError, tarfile.TarError, EOFError):
            self.give_up()
            return False
        target.mkdir(parents=True, exist_ok=True)
        for command in sorted(commands, key=lambda path: path.name == "pulumi"):
            command.replace(target / command.name)
        return True
