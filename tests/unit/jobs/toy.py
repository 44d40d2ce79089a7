"""A job for the tests of the endpoint: it ends as it is told to."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from applications.jobs.job import JobError, run
from applications.runtime.settings import ServiceSettings


class Toy(BaseModel):
    """How to end. `flag` is a file that is made once the job runs."""

    end: str = Field("well", pattern="^(well|refuse|raise|sleep|silent)$")
    count: int = Field(1, ge=0)
    flag: Path | None = None


def work(_: ServiceSettings, wanted: Toy) -> dict[str, Any]:
    """Ends as it is told to."""
    if wanted.flag:
        wanted.flag.touch()
    if wanted.end == "sleep":
        time.sleep(600)
    if wanted.end == "refuse":
        raise JobError("there is nothing to count")
    if wanted.end == "raise":
        raise ArithmeticError("first line\nsecond line")
    if wanted.end == "silent":
        raise SystemExit(7)
    return {"counted": wanted.count}


if __name__ == "__main__":
    sys.exit(run(ServiceSettings, Toy, work))
