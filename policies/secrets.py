"""Secrets: none where `docker inspect` shows it. No message repeats a value."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from components.settings import SHORTEST_SECRET
from policies.containers import CONTAINER
from policies.rule import Rule, known, listed

# The last word of a name says what its value is: TOKEN_TTL is a time, and AWS_ACCESS_KEY_ID a user's name.
SECRET_NAME = re.compile(r"(PASSWORD|PASSWD|PASSPHRASE|((^|_)|REQUIRE)PASS|SECRETS?|TOKEN|((^|_)|API)KEY|CREDENTIALS?)$")
HARMLESS = re.compile(r"""["']?((file:)?/run/secrets/|\$[({\w])|(true|false)$""", re.IGNORECASE)
"""The path of a secret file, what a shell puts in its place, or a switch."""
LOGIN = re.compile(r"://[^/\s:@]*:[^/\s@$]+@")
WORD = re.compile(r"[A-Za-z0-9]{20,}")
BITS = 3.3
"""Entropy a character from which a long word with digits looks generated: 32 hexadecimal digits have more."""
PASSWORDS = {"postgresql:index/role:Role": ("password",), "minio:index/iamUser:IamUser": ("secret",),
             "pulumi:providers:postgresql": ("password",), "pulumi:providers:minio": ("minioPassword",)}
"""The passwords with which stores and their clients are declared, by type."""
DEFAULTS = ("admin", "airflow", "changeme", "changeit", "clinical", "grafana", "guest", "minioadmin", "mlflow", "password",
            "postgres", "rabbitmq", "redis", "secret")
"""What products come with, and what people write to change it later."""
DIFFERENT = 8
"""Different characters that a password has at least."""
SECRET_FILES = "/run/secrets/"
MEND = "give it in `secrets` and name the path /run/secrets/… in its place"


def texts(args: ResourceValidationArgs) -> Iterator[tuple[str, str]]:
    """Every known text of a container that `docker inspect` shows, and where it stands."""
    for place, key in (("environment", "envs"), ("command", "command"), ("entrypoint", "entrypoints")):
        yield from ((place, str(text)) for text in listed(args.props, key))
    yield from (("health check", str(text)) for text in listed(known(args.props, "healthcheck") or {}, "tests"))
    yield from (("labels", f"{known(label, 'label')}={known(label, 'value') or ''}") for label in listed(args.props, "labels"))


def assignments(args: ResourceValidationArgs) -> Iterator[tuple[str, str, str]]:
    """Place, name and value of each variable and label, and of each option of a command (`--name=value`, `--name value`)."""
    words: dict[str, list[str]] = {}
    for place, text in texts(args):
        if place in ("environment", "labels"):
            name, _, value = text.partition("=")
            yield place, name, value
        else:
            words.setdefault(place, []).extend(text.split())
    for place, found in words.items():
        for word, following in zip(found, [*found[1:], ""], strict=True):
            name, given, value = word.partition("=")
            if given:
                yield place, name, value
            elif word.startswith("-") and not following.startswith("-"):
                yield place, name, following


def named(args: ResourceValidationArgs) -> Iterator[str]:
    """Nothing whose name says that it is a secret, unless its value is the path of a secret file."""
    for place, name, value in assignments(args):
        if SECRET_NAME.search(re.sub(r"[-.]", "_", name).upper()) and value and not HARMLESS.match(value):
            yield f"{name} in its {place} holds a secret; {MEND}"


def login(args: ResourceValidationArgs) -> Iterator[str]:
    """No address with a password in it."""
    for place in dict.fromkeys(place for place, text in texts(args) if LOGIN.search(text)):
        yield f"its {place} holds an address with a password; {MEND}"


def generated(args: ResourceValidationArgs) -> Iterator[str]:
    """No value that looks generated."""
    for place in dict.fromkeys(place for place, text in texts(args) if any(map(is_random, WORD.findall(text)))):
        yield f"its {place} holds what looks like a generated secret; {MEND}"


def strong(args: ResourceValidationArgs) -> Iterator[str]:
    """A password that something is made with is neither short, nor one word over and over, nor a known default."""
    for key in PASSWORDS.get(args.resource_type, ()):
        value = known(args.props, key)
        if value is None or is_strong(str(value)):
            continue
        yield f"{key} is a weak password; take it from the stack's secrets, which `make up` generates"


def files(args: ResourceValidationArgs) -> Iterator[str]:
    """Secrets stand in secret files, and nothing else does."""
    for upload in listed(args.props, "uploads"):
        path, text = str(known(upload, "file")), known(upload, "content")
        if text is None:
            continue
        if path.startswith(SECRET_FILES):
            if text.strip().lower() in ("", *DEFAULTS):
                yield f"{path} is empty or holds a default password; take it from the stack's secrets"
        elif LOGIN.search(text):
            yield f"{path} holds an address with a password; {MEND}"


def is_strong(password: str) -> bool:
    """Whether a password is long, of many different characters, and not made of a default one."""
    return (len(password) >= SHORTEST_SECRET and len(set(password)) >= DIFFERENT
            and not any(password.lower().startswith(word) for word in DEFAULTS))


def is_random(word: str) -> bool:
    """Whether a word looks generated: digits among its letters, and as many different characters as chance gives."""
    counts = Counter(word)
    entropy = -sum(n / len(word) * math.log2(n / len(word)) for n in counts.values())
    mixed = sum(c.isdigit() for c in word) >= 3 and any(c.isalpha() for c in word)
    return mixed and entropy > BITS


SECRET_RULES = (
    Rule("secret-named", "No secret in variables, commands, health checks or labels.", (CONTAINER,), (named, login)),
    Rule("secret-generated", "No generated value in variables, commands, health checks or labels.", (CONTAINER,), (generated,)),
    Rule("secret-strong", "No default, short or empty passwords.", tuple(PASSWORDS), (strong,)),
    Rule("secret-filed", "Passwords stand in secret files alone, and none of these is empty.", (CONTAINER,), (files,)),
)
