"""How a job of training says that the lake, the registry or a model failed it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from applications.jobs.job import JobError
from applications.ml.features.lake import LakeError
from applications.ml.model.errors import ModelError, RegistryError


@contextmanager
def in_words() -> Iterator[None]:
    """Makes these errors the job's own last word: they say what to do, and a trace would add nothing."""
    try:
        yield
    except (LakeError, ModelError, RegistryError) as error:
        raise JobError(str(error)) from error
