"""The job's side: how a module that does a job reads its parameters and says how it ended.

Its standard output and error are its log, JSON lines; the last line that is a `job-result` or a `job-failed` is what the
endpoint tells its callers.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from applications.runtime import logs, settings
from applications.runtime.logs import log
from applications.runtime.settings import ServiceSettings

RESULT, FAILED = "job-result", "job-failed"
FAILED_STATUS, WRONG_PARAMETERS = 1, 2
LONGEST_ERROR = 500

S = TypeVar("S", bound=ServiceSettings)
P = TypeVar("P", bound=BaseModel)


class JobError(Exception):
    """What a job cannot do, in words for whoever started it."""


def run(config: type[S], parameters: type[P], work: Callable[[S, P], Mapping[str, Any]]) -> int:
    """Reads the settings from the environment and the parameters, JSON, from the first argument; does the work; returns
    the exit status. The work's result is counts and other plain values.
    """
    found = settings.load(config)
    logs.configure(found)
    signal.signal(signal.SIGTERM, _end)
    try:
        wanted = parameters.model_validate_json(sys.argv[1] if len(sys.argv) > 1 else "{}")
    except ValidationError as error:
        log.error(FAILED, error=f"the parameters are wrong: {'; '.join(fault['msg'] for fault in error.errors())}")
        return WRONG_PARAMETERS
    log.info("job-started", pid=os.getpid(), **wanted.model_dump(mode="json", by_alias=True))
    try:
        result = work(found, wanted)
    except JobError as error:
        log.error(FAILED, error=str(error))
        return FAILED_STATUS
    except Exception as error:
        log.exception("job-trace")
        log.error(FAILED, error=brief(error))
        return FAILED_STATUS
    log.info(RESULT, result=dict(result))
    return 0


def brief(error: Exception) -> str:
    """One line that says what went wrong. An error that came out of a virtual machine brings its whole trace along; what
    caused it stands in the last of the causes there, and else in the line after the first."""
    first, *rest = str(error).splitlines() or [""]
    causes = [line.partition("Caused by: ")[2] for line in rest if line.lstrip().startswith("Caused by: ")]
    own = [line.removeprefix(": ") for line in rest[:1] if line.startswith(": ")]
    return ((causes or own or [f"{type(error).__name__}: {first}"])[-1])[:LONGEST_ERROR]


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
