"""
### Features of a range of days, computed again and compared

By hand, for days whose silver was mended. Computes features and labels of the days from silver read anew, writes the online store,
and compares it, value by value, with what silver says. The report is stored under `gold/reports/feature-backfill/`, also when
something failed; the run fails then.

| parameter | what |
| --- | --- |
| from, to | days (UTC), `to` is left out; tomorrow is the latest |
| parity_patients | how many patients are compared at most |
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from applications.orchestration import connections, intervals
from applications.orchestration.defaults import LAKE_POOL, dag_arguments
from applications.orchestration.operators import JobOperator

DAYS = "ti.xcom_pull(task_ids='check_days')"
PARAMS = {
    "from": Param(type="string", format="date", title="From", description="First day (UTC), such as 2026-11-20"),
    "to": Param(type="string", format="date", title="To", description="First day that is left out"),
    "parity_patients": Param(500, type="integer", minimum=1, maximum=100_000, title="Patients to compare",
                             description="How many patients the parity check compares at most")}


@dag(**dag_arguments("feature_backfill", tags=("data", "ml"), params=PARAMS, doc_md=__doc__,
                     description="A range of days: features, online store, parity, report"))
def feature_backfill() -> None:
    """Wires the tasks."""

    @task
    def check_days() -> dict[str, str]:
        """The days of the run; fails, without another try, for what cannot be."""
        params = get_current_context()["params"]
        try:
            return intervals.backfill_days(params["from"], params["to"], datetime.now(UTC).date())
        except intervals.IntervalFault as error:
            raise AirflowFailException(str(error)) from None

    @task(pool=LAKE_POOL, trigger_rule="all_done")
    def report(days: dict[str, str] | None, backfilled: dict[str, Any] | None, online: dict[str, Any] | None,
               parity: dict[str, Any] | None) -> str:
        """Stores the report; fails when one of the jobs did."""
        from applications.orchestration import backfill_report
        if days is None:
            raise AirflowFailException("there is nothing to report: the days were refused, see the log of check_days")
        run = get_current_context()["dag_run"]
        outcome = backfill_report.Outcome(run.run_id, days, {"backfill": backfilled, "online": online, "parity": parity})
        place = backfill_report.store(connections.lake(), outcome, intervals.plain(run.run_after))
        if outcome.failed:
            raise AirflowFailException(f"{', '.join(outcome.failed)} did not succeed: see the log of that task, and the report "
                                       f"gold/{place}")
        return place

    checked = check_days()
    backfill = JobOperator(task_id="backfill", endpoint="feature_engineering", kind="backfill",
                           parameters={"from": f"{{{{ {DAYS}['from'] }}}}", "to": f"{{{{ {DAYS}['to'] }}}}"},
                           execution_timeout=timedelta(hours=6))
    online = JobOperator(task_id="online", endpoint="feature_engineering", kind="online")
    parity = JobOperator(task_id="parity", endpoint="feature_engineering", kind="parity",
                         parameters={"patients": "{{ params.parity_patients }}"})
    checked >> backfill >> online >> parity >> report(checked, backfill.output, online.output, parity.output)


feature_backfill()
