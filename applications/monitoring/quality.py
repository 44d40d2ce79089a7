"""The quality of the lake's tables: of a range of received records after a pipeline run, and of a window up to now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from applications.monitoring.checks.consistency import consistency
from applications.monitoring.checks.flow import flow, quarantine
from applications.monitoring.checks.lineage import lineage
from applications.monitoring.checks.shape import shape
from applications.monitoring.findings import Check, Report
from applications.monitoring.lake import LakeAccess
from applications.monitoring.tables import Span, Tables
from applications.monitoring.thresholds import Quality, thresholds

Theme = Callable[[Tables, Span, Quality], Iterator[Check]]
THEMES: Mapping[str, Theme] = {"shape": shape, "consistency": consistency, "lineage": lineage, "flow": flow}
"""What a window is checked for, each by itself."""
OF_A_RANGE: tuple[Theme, ...] = (shape, consistency, lineage, quarantine)


def check_range(lake: LakeAccess, begin: datetime, end: datetime) -> Report:
    """The checks of the records that Kafka took from `begin` up to `end` (aware): schema, completeness, consistency, that each
    record of bronze is in silver or quarantine, and the share of refused ones. Raises LakeError when the lake does not answer.
    """
    return checked(Tables.on_store(lake), OF_A_RANGE, Span(begin, end))


def check_window(lake: LakeAccess, theme: str, begin: datetime, end: datetime) -> Report:
    """The checks of one theme (a key of THEMES) of the records that Kafka took in the window. Raises LakeError."""
    span, settle = Span(begin, end), timedelta(minutes=thresholds().quality.settle_minutes)
    if theme == "lineage":
        # What came in the last minutes is still on its way through the stream.
        span = Span(span.begin - settle, span.end - settle)
    return checked(Tables.on_store(lake), (THEMES[theme],), span)


def checked(tables: Tables, themes: tuple[Theme, ...], span: Span) -> Report:
    """The checks of some themes with the platform's thresholds."""
    limits = thresholds().quality
    return Report(tuple(check for theme in themes for check in theme(tables, span, limits)), span.begin, span.end)
