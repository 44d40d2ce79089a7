"""Two writers of one table: who came second tries again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

# Only this module of Delta's teaches PySpark its exceptions. Where it is not imported, a conflict is an error of the bridge
# without a class of its own, and the classes of delta.exceptions catch nothing.
from delta.exceptions import captured
from pyspark.errors import AnalysisException

from applications.runtime.logs import log

ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.5

CONFLICTS = (captured.DeltaConcurrentModificationException, captured.ConcurrentWriteException, captured.MetadataChangedException,
             captured.ProtocolChangedException, captured.ConcurrentAppendException, captured.ConcurrentDeleteReadException,
             captured.ConcurrentDeleteDeleteException, captured.ConcurrentTransactionException)
"""They have no class in common that catches them."""
HALF_MADE = "DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION"
"""What a writer is told that looks at a table's folder while another one is making the table."""


def is_conflict(error: Exception) -> bool:
    """Whether the other writer's being first is all that is wrong."""
    return isinstance(error, CONFLICTS) or (isinstance(error, AnalysisException) and error.getCondition() == HALF_MADE)


def again(action: Callable[[], int], path: str) -> int:
    """Runs an action on a table until no other writer is in its way. Raises the conflict after several attempts."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except Exception as error:
            if attempt == ATTEMPTS or not is_conflict(error):
                raise
            log.info("conflict", table=path, attempt=attempt, kind=type(error).__name__)
            time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1))
    raise AssertionError("unreachable")
