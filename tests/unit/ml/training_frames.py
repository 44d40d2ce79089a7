"""Labelled frames that are made up: a risk that moves from day to day drives some features and the label."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from applications.ml.features import registry

START = datetime(2026, 3, 1, tzinfo=UTC)
PREVALENCE_SHIFT = -4.2
SLOPE = 1.6
DRIVEN = {"heart_rate_mean_6h": 8.0, "respiratory_rate_mean_6h": 2.0, "spo2_min_24h": -2.0, "systolic_mean_6h": -7.0,
          "creatinine_latest": 0.3, "shock_index_6h": 0.1}
"""How much one standard deviation of risk moves a feature."""


def labelled(patients: int = 200, days: int = 16, seed: int = 1, *, missing: float = 0.1) -> pd.DataFrame:
    """patient_id, event_timestamp every 6 hours, every feature, label; ordered by time."""
    draw = np.random.default_rng(seed)
    steps = days * 4
    shocks = draw.normal(size=(steps, patients))
    risk = np.empty((steps, patients))
    risk[0] = shocks[0]
    for step in range(1, steps):
        risk[step] = 0.85 * risk[step - 1] + np.sqrt(1 - 0.85**2) * shocks[step]
    flat = risk.ravel()
    rows = len(flat)
    frame: dict[str, object] = {
        "patient_id": np.tile([f"PT{number:08d}" for number in range(patients)], steps),
        "event_timestamp": np.repeat(pd.date_range(START, periods=steps, freq=timedelta(hours=6)).as_unit("us"), patients)}
    for feature in registry.FEATURES:
        if feature.kind == "category":
            frame[feature.name] = np.tile(draw.choice(feature.categories[:2], patients).astype(object), steps)
        else:
            effect = DRIVEN.get(feature.name, 0.0)
            values = effect * flat + (abs(effect) or 1.0) * draw.normal(size=rows) * 0.7
            values[draw.random(rows) < missing] = np.nan
            frame[feature.name] = values
    chance = 1 / (1 + np.exp(-(PREVALENCE_SHIFT + SLOPE * flat)))
    frame["label"] = (draw.random(rows) < chance).astype(np.int64)
    return pd.DataFrame(frame)
