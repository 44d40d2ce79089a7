"""Secrets: none where `docker inspect` shows it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from policies.containers import CONTAINER
from policies.rule import Rule

SECRET_NAME = re.compile(r"PASS(WORD|WD|PHRASE)?$|SECRET|TOKEN|(API|ACCESS|PRIVATE|ENCRYPTION)_?KEY|CREDENTIAL", re.IGNORECASE)
A_PATH = re.compile(r"^(/|file:)")
WORD = re.compile(r"[A-Za-z0-9]{20,}")
BITS = 3.3
"""Entropy a character from which a long word without vowels of a language looks generated: 32 hexadecimal digits have more."""


def named(args: ResourceValidationArgs) -> Iterator[str]:
    """No variable whose name says that it is a secret, unless its value is the path of a file."""
    for variable in args.props.get("envs") or []:
        name, _, value = str(variable).partition("=")
        if SECRET_NAME.search(name) and value and not A_PATH.match(value) and not name.endswith("_FILE"):
            yield f"the variable {name} holds a secret; give it in `secrets` and the path /run/secrets/… in its place"


def generated(args: ResourceValidationArgs) -> Iterator[str]:
    """No value that looks generated, in a variable, the command or a label."""
    places = [("environment", args.props.get("envs") or []), ("command", args.props.get("command") or []),
              ("entrypoint", args.props.get("entrypoints") or []),
              ("labels", [label.get("value") for label in args.props.get("labels") or []])]
    for place, texts in places:
        for text in texts:
            if any(random(word) for word in WORD.findall(str(text))):
                yield f"its {place} holds what looks like a generated secret; give it in `secrets`"


def random(word: str) -> bool:
    """Whether a word looks generated: digits among its letters, and as many different characters as chance gives."""
    counts = Counter(word)
    entropy = -sum(n / len(word) * math.log2(n / len(word)) for n in counts.values())
    mixed = sum(c.isdigit() for c in word) >= 3 and any(c.isalpha() for c in word)
    return mixed and entropy > BITS


SECRET_RULES = (
    Rule("secret-named", "No secret in a variable.", (CONTAINER,), named),
    Rule("secret-generated", "No generated value in variables, command or labels.", (CONTAINER,), generated),
)
