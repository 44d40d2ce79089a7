"""Starts feature-engineering: `python3 -m applications.ml.features`."""

from __future__ import annotations

import sys
from dataclasses import asdict

from applications.jobs.kinds import Kind
from applications.jobs.schedule import repeated
from applications.jobs.service import serve
from applications.ml.features.parameters import Backfill, Nothing, Parity
from applications.ml.features.registry import FEATURES, VERSION
from applications.ml.features.settings import FeatureSettings
from applications.runtime import settings

KINDS = {
    "incremental": Kind(parameters=Nothing, module="applications.ml.features.jobs.incremental",
                        what="Brings the tables of features and labels and the online store to where silver is now."),
    "backfill": Kind(parameters=Backfill, module="applications.ml.features.jobs.backfill",
                     what="Computes the features and labels of a range of days again, from silver read anew."),
    "online": Kind(parameters=Nothing, module="applications.ml.features.jobs.online",
                   what="Brings only the online store to where silver is now."),
    "parity": Kind(parameters=Parity, module="applications.ml.features.jobs.parity",
                   what="Compares the online store, value by value, with what silver says; fails when anything differs.")}


def registry() -> dict[str, object]:
    """The registry of features as JSON holds it; windows in seconds."""
    return {"version": VERSION, "features": [
        {**asdict(feature), "window": feature.window.total_seconds() if feature.window else None} for feature in FEATURES]}


if __name__ == "__main__":
    found = settings.load(FeatureSettings)
    sys.exit(serve(found, KINDS, repeated("incremental", found.refresh_seconds), {"/features": registry()}))
