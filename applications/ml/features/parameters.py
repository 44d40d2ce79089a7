"""Parameters of the jobs, checked when a job is submitted and not when it fails."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

LONGEST_DAYS = 400


def _day(value: Any) -> Any:
    if isinstance(value, str | date):
        return value
    raise ValueError("must be a day (2026-11-25)")


Day = Annotated[date, BeforeValidator(_day)]


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)


class Nothing(_Parameters):
    """No parameters."""


class Backfill(_Parameters):
    """The days (UTC) of the cut-offs, from `from` up to, and not including, `to`."""

    begin: Day = Field(alias="from")
    end: Day = Field(alias="to")

    @field_validator("end")
    @classmethod
    def _ends_a_range(cls, value: date, info: ValidationInfo) -> date:
        begin: date | None = info.data.get("begin")
        if value > datetime.now(UTC).date() + timedelta(days=1):
            raise ValueError("is in the future")
        if begin is not None and value <= begin:
            raise ValueError("must be after `from`: it is the first day that is left out")
        if begin is not None and value - begin > timedelta(days=LONGEST_DAYS):
            raise ValueError(f"at most {LONGEST_DAYS} days after `from`")
        return value


class Parity(_Parameters):
    """How many patients are compared at most."""

    patients: int = Field(500, ge=1, le=100_000)
