"""`python3 -m applications.orchestration.init`: runs once, before the processes of Airflow start, and may run again."""

from __future__ import annotations

import sys

from applications.orchestration.init.errors import InitError
from applications.orchestration.init.inputs import read

FAILED = 1


def main() -> int:
    """Exit status 0 once everything is there, 1 with one message on what is wrong and what to do."""
    try:
        inputs = read()
        # Airflow reads its configuration, and connects, when it is imported.
        from applications.orchestration.init.work import prepare

        for line in prepare(inputs):
            print(f"airflow-init: {line}", flush=True)
    except InitError as error:
        print(f"airflow-init: {error}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
