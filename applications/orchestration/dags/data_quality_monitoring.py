"""
### Is the data as it should be?

Looks at what Kafka took in the last `window_hours`: the silver tables and the quarantine. Each theme is a task; what they find is
in `gold/monitoring/data-quality` (a row a check and run), on a page and in the metrics. The run fails when a check does.

| task | what |
| --- | --- |
| check_shape | schema, and the share of nulls of each column |
| check_consistency | what the data contract says of values: one row that breaks a rule is a failure |
| check_lineage | every record of bronze is in silver or in quarantine |
| check_flow | age of the newest row, volume against the same hours of earlier days, share of refused records by reason |
| publish | page, `latest.json` for the metrics |
| verdict | fails with the list of the checks that failed |

The limits stand in `applications/monitoring/thresholds.json`. A repeated run replaces what it found before.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from applications.orchestration import connections
from applications.orchestration.defaults import LAKE_POOL, dag_arguments
from applications.orchestration.windows import moment_of

KIND = "data-quality"
THEMES = ("shape", "consistency", "lineage", "flow")
MOST_NAMED = 20
PARAMS = {"window_hours": Param(4, type="integer", minimum=1, maximum=168, title="Window in hours",
                                description="How far back from the end of the run's interval received records are checked")}


@dag(**dag_arguments("data_quality_monitoring", tags=("monitoring", "data"), params=PARAMS, doc_md=__doc__,
                     description="Completeness, schema, consistency, freshness and volume of silver and quarantine"))
def data_quality_monitoring() -> None:
    """Wires the tasks."""

    @task(pool=LAKE_POOL)
    def check(theme: str) -> dict[str, Any]:
        """The checks of one theme, recorded in the table; how many ended how."""
        from applications.monitoring import quality, results
        from applications.monitoring.tables import Tables
        context, lake = get_current_context(), connections.lake()
        end = moment_of(context)
        report = quality.check_window(lake, theme, end - timedelta(hours=context["params"]["window_hours"]), end)
        results.record(Tables.on_store(lake), KIND, context["dag_run"].run_id, theme, end, report)
        for found in report.checks:
            print(f"{found.status}: {found}")
        return report.counts()

    @task(pool=LAKE_POOL)
    def publish() -> dict[str, Any]:
        """The page and the metrics of what the run recorded; the checks that failed."""
        from applications.monitoring import results
        from applications.monitoring.publishing import publish_quality
        from applications.monitoring.tables import Tables
        context, lake = get_current_context(), connections.lake()
        tables = Tables.on_store(lake)
        report = results.recorded(tables, KIND, context["dag_run"].run_id)
        if report is None:
            raise AirflowFailException(f"nothing stands in {results.place(KIND)} of this run: clear its check tasks")
        page = publish_quality(lake, KIND, moment_of(context), report)
        results.tidy(tables, KIND)
        return {"page": page, **report.counts(), "failures": [str(found) for found in report.failures[:MOST_NAMED]]}

    @task(retries=0)
    def verdict(published: dict[str, Any]) -> str:
        """Fails when a check did."""
        if published["failure"]:
            named = "\n".join(published["failures"])
            raise AirflowFailException(f"{published['failure']} checks failed. All of them: gold/{published['page']}, and "
                                       f"/monitoring/ of this server.\n{named}")
        return str(published["status"])

    published = publish()
    checks = [check.override(task_id=f"check_{theme}")(theme) for theme in THEMES]
    checks >> published
    verdict(published)


data_quality_monitoring()
