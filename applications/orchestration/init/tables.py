"""Airflow's tables and those of its authorization manager."""

from __future__ import annotations

from airflow.utils import db
from alembic.util import CommandError

from applications.orchestration.init.errors import InitError


def migrate() -> str:
    """Makes the tables, or brings older ones to this release. Raises InitError for those of a newer release."""
    try:
        db.upgradedb()
    except CommandError as error:
        raise InitError(f"the tables are not of a release that this one knows ({error}): a newer Airflow has migrated them. Run "
                        "that release again, or restore a backup of the database from before") from None
    except SystemExit:
        raise InitError("the rows of an older release cannot be migrated by themselves; the lines above name the tables and "
                        "rows, which must be moved or deleted first") from None
    return "the tables are those of this release"
