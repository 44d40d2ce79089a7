"""
### Bronze to features, hour by hour

Waits until bronze has every record that Kafka took in the run's interval, brings what is missing into silver and quarantine,
checks the quality of just these records, and computes gold and features of the days that they belong to anew; then the online
store.

| task | what |
| --- | --- |
| wait_for_bronze | kafka-consumer has stored everything up to the end of the interval; nothing in it: the rest is skipped |
| to_silver | job `backfill` of spark-batch: inserts what the stream has not brought there |
| check_quality | a check that fails names the table, the value and its limit |
| find_days | the days (UTC) of the events, also those long past of late ones |
| to_gold, features | jobs `gold` and `backfill`, one for each range of adjoining days; they replace whole days |
| online | job `online` of feature-engineering |
| note_progress | up to where all is done |

Every task may be repeated: the same records give the same tables. A run takes its hour and all hours before it that no run has
done (`gold/pipeline/progress.json`), at most seven days: after a pause or a failure the next run makes up for it. Other times:
start it with `from` and `to`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, PokeReturnValue, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from applications.orchestration import bronze, connections, days, intervals, progress
from applications.orchestration.defaults import LAKE_POOL, SPARK_POOL, dag_arguments
from applications.orchestration.intervals import Interval, IntervalFault
from applications.orchestration.operators import JobOperator

RANGE = "ti.xcom_pull(task_ids='wait_for_bronze')"
# Airflow's checker knows no date-time by itself; the format is what the form shows.
MOMENT = {"type": ["null", "string"], "format": "date-time", "pattern": intervals.MOMENT_PATTERN}
PARAMS = {
    "from": Param(None, title="From", description="First moment (UTC) at which Kafka took the records; empty: the run's own "
                                                  "interval", **MOMENT),
    "to": Param(None, title="To", description="First moment that is left out; give both or none", **MOMENT)}


@dag(**dag_arguments("clinical_data_pipeline", tags=("data",), params=PARAMS, doc_md=__doc__,
                     description="New bronze to silver, quality, gold, features, online"))
def clinical_data_pipeline() -> None:
    """Wires the tasks."""

    @task.sensor(mode="reschedule", poke_interval=15, timeout=timedelta(minutes=45).total_seconds())
    def wait_for_bronze() -> PokeReturnValue:
        """Done once bronze is complete up to the end of the interval, which is the XCom."""
        context, lake = get_current_context(), connections.lake()
        interval = _interval(context, lake)
        lacks = bronze.lacking(bronze.partitions(connections.kafka(), interval.end))
        if lacks:
            print(f"bronze lacks {bronze.describe(lacks)} from before {interval.end.isoformat()}: see kafka-consumer in "
                  "`./pipeline ingestion health` if this goes on")
            return PokeReturnValue(is_done=False)
        if not bronze.anything(lake, interval):
            progress.note(lake, interval)
            raise AirflowSkipException(f"nothing was received from {interval.begin.isoformat()} to {interval.end.isoformat()}")
        return PokeReturnValue(is_done=True, xcom_value=interval.as_parameters())

    @task(pool=LAKE_POOL)
    def check_quality(found: dict[str, str]) -> dict[str, Any]:
        """Fails, without another try, when a check of the interval's records does."""
        from applications.monitoring.quality import check_range
        interval = Interval.from_parameters(found)
        report = check_range(connections.lake(), interval.begin, interval.end)
        if report.failures:
            raise AirflowFailException(f"{len(report.failures)} checks of the records from {interval.begin.isoformat()} to "
                                       f"{interval.end.isoformat()} failed:\n{report.words()}")
        return report.summary()

    @task(pool=LAKE_POOL)
    def find_days(found: dict[str, str]) -> list[dict[str, str]]:
        """The days that the interval's records belong to, as ranges."""
        from applications.monitoring.tables import Tables
        touched = days.touched_days(Tables.on_store(connections.lake()), Interval.from_parameters(found))
        return intervals.day_ranges(touched, datetime.now(UTC).date())

    @task(trigger_rule="none_failed_min_one_success")
    def note_progress(found: dict[str, str]) -> None:
        """Notes that the interval is done, also where no day had anything to compute."""
        until = progress.note(connections.lake(), Interval.from_parameters(found))
        print(f"done up to {until.isoformat() if until else 'now; no planned run has begun yet'}")

    wanted = wait_for_bronze()
    to_silver = JobOperator(task_id="to_silver", endpoint="spark_batch", kind="backfill", pool=SPARK_POOL,
                            parameters={"from": f"{{{{ {RANGE}['from'] }}}}", "to": f"{{{{ {RANGE}['to'] }}}}"},
                            execution_timeout=timedelta(hours=2))
    checked, found_days = check_quality(wanted), find_days(wanted)
    to_gold = JobOperator.partial(task_id="to_gold", endpoint="spark_batch", kind="gold", pool=SPARK_POOL, keep=["days", "rows"],
                                  execution_timeout=timedelta(hours=1)).expand(parameters=found_days)
    features = JobOperator.partial(task_id="features", endpoint="feature_engineering", kind="backfill",
                                   execution_timeout=timedelta(hours=2),
                                   ).expand(parameters=found_days.map(intervals.to_excluded))
    online = JobOperator(task_id="online", endpoint="feature_engineering", kind="online")
    wanted >> to_silver >> checked >> found_days >> to_gold >> features >> online >> note_progress(wanted)


def _interval(context: Any, lake: Any) -> Interval:
    run, begin, end = context["dag_run"], context.get("data_interval_start"), context.get("data_interval_end")
    # A run by hand has a data interval, too, but nobody planned it.
    planned = None if begin is None or end is None or run.run_type == "manual" else (begin, end)
    try:
        if run.run_type == "backfill":  # exactly what was asked for
            return intervals.of_run(context["params"], planned, None, run.run_after)
        done_until = progress.done_until(lake)
        found = intervals.of_run(context["params"], planned, done_until, run.run_after)
    except IntervalFault as error:
        raise AirflowFailException(str(error)) from None
    if planned is not None and done_until is None:
        progress.begin_at(lake, found.begin)
    return found


clinical_data_pipeline()
