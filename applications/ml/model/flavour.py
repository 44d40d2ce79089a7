"""The model as MLflow's own tools load it (`mlflow.pyfunc.load_model`): it wraps the one file that `artifact` reads.

MLflow runs this file when it loads such a model; it is logged as code, so no pickle is involved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from applications.ml.model import artifact


class RiskPredictor(PythonModel):
    """Features of patients in, probability and class out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Reads the file. Raises ModelError as `artifact.read` does."""
        self.model = artifact.read(Path(context.artifacts[artifact.KEY]))

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row a patient: `probability` (0 to 1) and `high_risk`."""
        found = self.model.predict(model_input)
        return pd.DataFrame({"probability": found, "high_risk": found >= self.model.threshold}, index=model_input.index)


set_model(RiskPredictor())
