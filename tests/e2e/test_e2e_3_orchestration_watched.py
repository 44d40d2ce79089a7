"""Rule: once every workflow has run, no rule and no panel asks for what nobody measures."""

from __future__ import annotations

import httpx
import pytest

from components.observability.dashboards import BOARDS, queries
from tests.e2e.flow import LONGEST, wait_until
from tests.e2e.lake import Lake
from tests.e2e.stack import Stack
from tests.e2e.watching import OF_LATER, Watching


@pytest.fixture(scope="module")
def watching(platform: Stack) -> Watching:
    """Whoever is on call, after the champion has answered."""
    wait_until("a patient has an answer", lambda: predicted(platform))
    return Watching(platform)


def predicted(platform: Stack) -> bool:
    """Whether one of the patients who are measured now has got an answer."""
    rows = Lake(platform).table("silver/patient-vitals", ["patient_id", "received_time"])
    measured = {row["patient_id"]: row["received_time"] for row in rows if row["patient_id"].startswith("PTK")}
    serving = httpx.Client(base_url=f"http://127.0.0.1:{platform.port('model-serving')}", timeout=30,
                           headers={"X-API-Key": platform.secrets["serving-key-clinic"]})
    return any(serving.post("/v1/predict", json={"patient_id": patient}).status_code == httpx.codes.OK
               for patient in sorted(measured, key=measured.__getitem__)[-50:])


def test_no_alert_asks_for_what_nobody_measures(watching: Watching) -> None:
    """Every metric of every rule exists, or is a counter that has not counted yet: a rule on one that does not never fires."""
    wait_until("every metric exists", lambda: set(watching.missing()) <= OF_LATER, LONGEST / 2)


def test_every_panel_has_data(watching: Watching) -> None:
    """The query of each panel of each dashboard finds something."""
    def empty() -> list[str]:
        return [f"{board.uid}: {query}" for board in BOARDS for query in queries(board)
                if not watching.query(query) and not any(name in query for name in OF_LATER)]
    wait_until("every panel has data", lambda: empty() == [], LONGEST / 2)
