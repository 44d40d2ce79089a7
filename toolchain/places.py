"""Where the toolchain keeps things, and the marks by which it knows its own work."""

import hashlib
import json
import os
from pathlib import Path

from toolchain.parts import CLI, LANGUAGE_HOST, Part

SOURCES = Path(__file__).resolve().parent
LOGS = SOURCES.parent / ".logs"
MARK = "clinical-toolchain.json"
"""In a plugin's folder: this plugin is ours. An official plugin put in its place does not have it."""
SIGNATURE = "Written by the toolchain of clinical-mlops"
"""In the launcher of the language host: it is ours, even where its hard link was lost by copying."""
COMMANDS = {CLI: "pulumi", LANGUAGE_HOST: "pulumi-language-python"}
IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


def pulumi_home() -> Path:
    """Pulumi's own folder: $PULUMI_HOME, else ~/.pulumi."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi").absolute()


def bin_folder() -> Path:
    """Where the command and the language host are."""
    return pulumi_home() / "bin"


def own_folder() -> Path:
    """Where the toolchain's environments, caches and marks are."""
    return pulumi_home() / "clinical-toolchain"


def plugin_folder(part: Part) -> Path:
    """Where the engine looks for that plugin."""
    return pulumi_home() / "plugins" / f"resource-{part.name}-v{part.version}"


def log_file(part: Part) -> Path:
    """The log of the part's long steps, in the project's folder of logs."""
    LOGS.mkdir(exist_ok=True)
    return LOGS / f"toolchain-{part.name.replace(' ', '-')}.log"


def digest(part: Part, root: Path = SOURCES) -> str:
    """A hash of how the part is made: its version, flags and sources, each file with its name and content."""
    seen = hashlib.sha256(repr((part.version, part.package, part.linker, part.tags)).encode())
    for source in part.sources:
        top = root / source
        files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        for file in files:
            if not IGNORED.intersection(file.parts):
                seen.update(f"{file.relative_to(root)}\0{file.stat().st_size}\0".encode())
                seen.update(file.read_bytes())
    return seen.hexdigest()[:16]


def command_file(part: Part) -> Path:
    """Where the engine, or the user's shell, finds a part that is a command."""
    return bin_folder() / COMMANDS[part]


def made_folder(part: Part) -> Path:
    """Where our build of a command is kept, by the digest of its sources; the command itself is a hard link
    to the file in it, which tells our command from one that was installed over it."""
    return own_folder() / f"{part.name.replace(' ', '-')}-{digest(part)}"


def made_from(part: Part) -> str | None:
    """The digest of our build that the command is; None where the command is missing or not ours."""
    for folder in own_folder().glob(f"{part.name.replace(' ', '-')}-*"):
        if same_file(folder / COMMANDS[part], command_file(part)):
            return folder.name.rsplit("-", 1)[-1]
    return None


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file."""
    return one.exists() and other.exists() and one.samefile(other)


def read_json(file: Path) -> dict[str, object]:
    """The JSON object in a file; an empty one where the file is missing or cut off."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
