"""The job `incremental`."""

from __future__ import annotations

import sys

from applications.jobs.job import run
from applications.ml.features.parameters import Nothing
from applications.ml.features.settings import FeatureSettings
from applications.ml.features.work import incremental

if __name__ == "__main__":
    sys.exit(run(FeatureSettings, Nothing, incremental))
