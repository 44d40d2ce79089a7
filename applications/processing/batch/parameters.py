"""Parameters of the jobs, checked when a job is submitted and not when it fails."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from applications.clinical.models import DEAD_LETTER_TOPIC, INGRESS

TOPICS = (*(str(kind) for kind in INGRESS), DEAD_LETTER_TOPIC)
TABLES = (*(f"silver/{kind}" for kind in INGRESS), "quarantine/events", "gold/patient-day")
LONGEST_DAYS = 400
SAFE_RETENTION_HOURS = 168
"""Delta's own bound: a reader or writer that began less than a week ago still finds the files that it saw."""


def _one_of(names: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return value
    return AfterValidator(check)


def _moment(value: Any) -> Any:
    """A day is its first moment in UTC."""
    if isinstance(value, str) and len(value) == len("2026-11-25"):
        try:
            return datetime.combine(date.fromisoformat(value), time(), UTC)
        except ValueError:
            raise ValueError("there is no day of this date") from None
    if isinstance(value, str | datetime):
        return value
    raise ValueError("must be a day (2026-11-25) or a moment with its offset (2026-11-25T13:00:00Z)")


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _day(value: Any) -> Any:
    if isinstance(value, str | date):
        return value
    raise ValueError("must be a day (2026-11-25)")


Moment = Annotated[AwareDatetime, BeforeValidator(_moment), AfterValidator(_utc)]
Day = Annotated[date, BeforeValidator(_day)]
D = TypeVar("D", date, datetime)
Topic = Annotated[str, _one_of(TOPICS)]
Table = Annotated[str, _one_of(TABLES)]


def _not_too_far(end: D, begin: D | None) -> D:
    if begin is not None and end - begin > timedelta(days=LONGEST_DAYS):
        raise ValueError(f"at most {LONGEST_DAYS} days after `from`")
    return end


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)


class Backfill(_Parameters):
    """The records that Kafka took from `from` up to, and not including, `to`; of these topics."""

    begin: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    types: list[Topic] = Field(default=list(TOPICS), min_length=1)

    @field_validator("begin")
    @classmethod
    def _has_begun(cls, value: datetime) -> datetime:
        if value > datetime.now(UTC):
            raise ValueError("is in the future")
        return value

    @field_validator("end")
    @classmethod
    def _ends_a_range(cls, value: datetime, info: ValidationInfo) -> datetime:
        begin: datetime | None = info.data.get("begin")
        if begin is not None and value <= begin:
            raise ValueError("must be after `from`: it is the first moment that is left out")
        return _not_too_far(value, begin)


class Gold(_Parameters):
    """The days (UTC) from `from` to `to`, both included."""

    begin: Day = Field(alias="from")
    end: Day = Field(alias="to")

    @field_validator("end")
    @classmethod
    def _ends_a_range(cls, value: date, info: ValidationInfo) -> date:
        begin: date | None = info.data.get("begin")
        if value > datetime.now(UTC).date():
            raise ValueError("is in the future")
        if begin is not None and value < begin:
            raise ValueError("must not be before `from`")
        return _not_too_far(value, begin)


class Compact(_Parameters):
    """The tables, and of how many of the latest days (UTC, today included) the files are joined.

    Files that have been out of a table for `retention_hours` are removed, whatever their day.
    """

    tables: list[Table] = Field(default=list(TABLES), min_length=1)
    days: int = Field(2, ge=1, le=LONGEST_DAYS)
    retention_hours: int = Field(SAFE_RETENTION_HOURS, ge=SAFE_RETENTION_HOURS)
