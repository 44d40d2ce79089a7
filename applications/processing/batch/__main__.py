"""Starts spark-batch: `python3 -m applications.processing.batch`."""

from __future__ import annotations

import sys

from applications.jobs.kinds import Kind
from applications.jobs.service import serve
from applications.processing.batch.parameters import Backfill, Compact, Gold
from applications.processing.batch.settings import BatchSettings
from applications.runtime import settings

KINDS = {
    "backfill": Kind(parameters=Backfill, module="applications.processing.batch.backfill",
                     what="Bronze to silver and quarantine, for a range of hours; what stands there already stays."),
    "gold": Kind(parameters=Gold, module="applications.processing.batch.gold",
                 what="Silver to the patient-day aggregates, which replace those of the range's days."),
    "compact": Kind(parameters=Compact, module="applications.processing.batch.compact",
                    what="Joins the small files of the latest days, and removes files that no reader can still need.")}

if __name__ == "__main__":
    sys.exit(serve(settings.load(BatchSettings), KINDS))
