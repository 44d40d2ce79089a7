"""What jobs there are: each kind is a name, the model of its parameters, and the module that does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of job. `module` is run as `python3 -m module PARAMETERS`, see `applications.jobs.job`."""

    parameters: type[BaseModel]
    module: str
    what: str
    """One sentence for whoever starts it."""


Kinds = Mapping[str, Kind]
