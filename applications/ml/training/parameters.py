"""Parameters of the jobs of ml-training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

SEED = 20


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Train(_Parameters):
    """The same data and seed give the same model. A model that passes every gate is promoted unless `promote` is false.

    The seed decides which patients are held out, so keep it: a champion of another seed has seen some of them.
    """

    seed: int = Field(SEED, ge=0, le=2**31 - 1)
    promote: bool = True


class Promote(_Parameters):
    """The number of a registered version, which has passed the gates on data and is now made champion by a person."""

    version: int = Field(ge=1)


class Rollback(_Parameters):
    """Takes none."""


class Evaluate(_Parameters):
    """The number of a registered version, default the champion; and of how many of the latest labelled days."""

    version: int | None = Field(None, ge=1)
    days: int = Field(7, ge=1, le=400)
