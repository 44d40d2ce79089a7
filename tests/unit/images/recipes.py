"""Reading Dockerfiles as the rules' tests need them."""

import re
from dataclasses import dataclass
from pathlib import Path

IMAGES = Path(__file__).parents[3] / "images"
NAMES = sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile"))
SERVICES = [name for name in NAMES if name != "base"]


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continuation lines joined."""

    word: str
    text: str


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile, comments left out."""
    lines = "\n".join(
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    )
    joined = re.sub(r"\\\n", " ", lines)
    return [
        Instruction(word.upper(), rest.strip())
        for word, _, rest in (line.strip().partition(" ") for line in joined.splitlines())
    ]


def faults(text: str, base: str = "BASE") -> list[str]:
    """What is wrong with a Dockerfile by the house's rules, one line each."""
    steps = instructions(text)
    words = [step.word for step in steps]
    found = []
    if (steps[0].word, steps[0].text) != ("ARG", base):
        found.append(f"the first instruction is not ARG {base}")
    if any(step.word == "FROM" and step.text.split()[0] != f"${{{base}}}" for step in steps):
        found.append(f"a stage is not FROM ${{{base}}}")
    found += [
        f"{word} is not used here" for word in ("VOLUME", "ADD", "HEALTHCHECK", "ONBUILD") if word in words
    ]
    final = steps[len(words) - words[::-1].index("FROM") :]
    users = [step.text for step in final if step.word == "USER"]
    if base == "BASE" and (not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])):
        found.append("the last USER is not a numeric user and group other than root")
    if any(step.word == "ARG" for step in final):
        found.append("an ARG of the final stage would be kept in the image's history")
    labels = " ".join(step.text for step in final if step.word == "LABEL")
    found += [
        f"the label org.opencontainers.image.{label} is missing"
        for label in ("title", "description")
        if f"org.opencontainers.image.{label}=" not in labels
    ]
    for step in steps:
        found += faults_of_step(step)
    return found


def faults_of_step(step: Instruction) -> list[str]:
    """Faults of one RUN, ENV or ARG."""
    found = []
    if step.word in ("ENV", "ARG") and re.search(r"(?i)(password|secret|token)\w*=\S", step.text):
        found.append("a secret stands in the recipe")
    if re.search(r"--mount=|<<\w", step.text):
        found.append("BuildKit is needed; hosts have the classic builder")
    if step.word != "RUN":
        return found
    if re.search(r"apt-get\b[^&|;]* install\b", step.text):
        for call in re.findall(r"apt-get\b[^&|;]* install\b[^&|;]*", step.text):
            if "--no-install-recommends" not in call:
                found.append("apt-get install without --no-install-recommends")
        if (
            "rm -rf" not in step.text
            or "/var/lib/apt/lists/*" not in step.text
            or "/var/cache/apt/*" not in step.text
        ):
            found.append("apt-get install leaves its lists or its cache")
    for call in re.findall(r"pip3? install[^&|;]*", step.text):
        packages = [word for word in re.sub(r" -r \S+", "", call).split()[2:] if not word.startswith("-")]
        if not all("==" in package for package in packages) or (not packages and "-r" not in call):
            found.append("pip installs a version that is not pinned")
    for module in re.findall(r"go install[^&|;]* (\S+/\S+)", step.text):
        if not re.search(r"@v\d+\.\d+\.\d+", module):
            found.append("go installs a version that is not pinned")
    if re.search(r"npm (install|i)\b", step.text):
        found.append("npm install resolves versions anew; npm ci takes those of package-lock.json")
    if re.search(r"https?://|\b(curl|wget)\b", step.text):
        found.append("something is downloaded past the package registries")
    return found
