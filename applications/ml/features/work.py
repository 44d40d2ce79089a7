"""What the jobs of feature-engineering do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from applications.jobs.job import JobError
from applications.ml.features.lake import Lake
from applications.ml.features.online import OnlineFeatures
from applications.ml.features.parameters import Backfill, Nothing, Parity
from applications.ml.features.parity import compare
from applications.ml.features.pipeline import Done, Pipeline, opened
from applications.ml.features.settings import FeatureSettings
from applications.runtime.logs import log


def incremental(settings: FeatureSettings, _: Nothing) -> dict[str, Any]:
    """Both tables and the online store, brought to where silver is now. Raises JobError."""
    with _pipeline(settings) as pipeline:
        pipeline.refresh()
        # First what predictions wait for, then what only training needs.
        online = _publish(settings, pipeline)
        features, labels = pipeline.features(), pipeline.labels()
        if features.days or labels.days:
            pipeline.clean()
        return {"features": features.as_dict(), "labels": labels.as_dict(), "online": online}


def online(settings: FeatureSettings, _: Nothing) -> dict[str, Any]:
    """The online store, brought to where silver is now. Raises JobError."""
    with _pipeline(settings) as pipeline:
        pipeline.refresh()
        return _publish(settings, pipeline)


def backfill(settings: FeatureSettings, wanted: Backfill) -> dict[str, Any]:
    """Both tables for a range of days, from silver read anew. Raises JobError."""
    days = [wanted.begin + timedelta(days=number) for number in range((wanted.end - wanted.begin).days)]
    with _pipeline(settings) as pipeline:
        # The windows of the first day reach into the day before.
        pipeline.again(days[0] - timedelta(days=1), days[-1])
        pipeline.refresh()
        features, labels = Done(), Done()
        for day in days:
            features += pipeline.features_of(day)
            labels += pipeline.labels_of(day)
        return {"features": features.as_dict(), "labels": labels.as_dict()}


def parity(settings: FeatureSettings, wanted: Parity) -> dict[str, Any]:
    """Compares the online store with a computation from silver alone. Raises JobError when they differ anywhere."""
    with _pipeline(settings) as pipeline:
        published = pipeline.latest_published()
    if published is None:
        raise JobError("nothing was written to the online store yet: run `online` or `incremental` first")
    found = compare(Lake.on_store(settings), OnlineFeatures(settings), published, wanted.patients)
    if found.mismatches:
        # Counts and names only: neither patients nor values belong into a log.
        log.error("parity-broken", **found.as_dict())
        worst = ", ".join(f"{name} ({count})" for name, count in found.mismatches.most_common(10))
        raise JobError(f"of {found.patients} patients at {published.cutoff.isoformat()} {sum(found.mismatches.values())} of "
                       f"{found.compared} values differ between the online store and silver: {worst}")
    return found.as_dict()


def _publish(settings: FeatureSettings, pipeline: Pipeline) -> dict[str, Any]:
    frame = pipeline.active()
    if len(frame):
        OnlineFeatures(settings).write(frame, pipeline.now, datetime.now(UTC))
        pipeline.published()
    return {"patients": len(frame), "cutoff": pipeline.now.isoformat()}


@contextmanager
def _pipeline(settings: FeatureSettings) -> Iterator[Pipeline]:
    with opened(Lake.on_store(settings), settings.data / "features", now=datetime.now(UTC),
                step=timedelta(hours=settings.grid_hours), memory_mb=settings.memory_mb) as pipeline:
        yield pipeline

