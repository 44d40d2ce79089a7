"""Configuration files that stand beside a layer's code, filled in with few variables, and one that several layers need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pulumi

from components.contracts import Database


def render(folder: Path, name: str, **variables: Any) -> str:
    """The text of `folder`/files/`name` with its variables filled in. Raises jinja2.UndefinedError for a missing one."""
    loader = jinja2.FileSystemLoader(folder / "files")
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, keep_trailing_newline=True,
                                     trim_blocks=True, lstrip_blocks=True, autoescape=False)
    return environment.get_template(name).render(**variables)


def service_file(database: Database) -> pulumi.Output[str]:
    """libpq's service file with one service, named as the database: no address and no password in a command."""
    return pulumi.Output.concat(f"[{database.name}]\nhost={database.host}\nport={database.port}\ndbname={database.name}\n"
                                f"user={database.user}\npassword=", database.password, "\n")
