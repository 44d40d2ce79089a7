"""Settings of a service: environment variables and secret files, read once and checked together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS = Path("/run/secrets")
WRONG_SETTINGS = 2


class ServiceSettings(BaseSettings):
    """Settings that every service has. A field is the variable of its name in capitals, or the file of its name in
    /run/secrets (which an environment variable would override, for tests)."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    service: str
    layer: str
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")
    monitor_port: int = Field(8080, ge=1, le=65535)
    """Where health and metrics are served."""


S = TypeVar("S", bound=ServiceSettings)


def load(kind: type[S], secrets: Path = SECRETS) -> S:
    """The settings of this process. Ends it with status 2 and one message when any is missing or wrong."""
    make: Callable[..., S] = kind
    try:
        # A folder that is not there would only warn.
        return make(_secrets_dir=secrets) if secrets.is_dir() else make()
    except ValidationError as error:
        fail(error)


def fail(error: ValidationError) -> NoReturn:
    """Says which variables are wrong and what each must be, and ends the process."""
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in fault["loc"])
        lines.append(f"  {name.upper()} (or the file {SECRETS / name}): {fault['msg']}")
    service = os.environ.get("SERVICE", "service")
    print(f"{service}: {len(lines)} settings are missing or wrong:\n" + "\n".join(lines), file=sys.stderr)
    raise SystemExit(WRONG_SETTINGS)
