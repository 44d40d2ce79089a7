"""
### Is the champion still good?

Compares the features of the newest cut-offs with those that the champion learned from, looks at what was predicted, and at how
good it was once it is known what came. Starts a training when the model must be renewed. Without a champion the run is skipped.

| task | what |
| --- | --- |
| find_champion | version, run and training window, from MLflow |
| check_drift | per feature distance (KS), stability index (PSI) and share of nulls; the share of drifted features |
| check_predictions | per version: number, mean probability, share of high-risk ones, PSI against earlier days |
| check_performance | audited predictions against adverse events of the 24 hours after them: AUROC, PR-AUC, Brier, calibration |
| evaluate | job `evaluate` of ml-training: the champion on patients that it has not learned from |
| publish | table `gold/monitoring/model`, page, metrics |
| decide | `start_retraining` or `no_retraining`, with the reason |

At most one training is started in each stretch of `cool_down_hours` (24: a day in UTC): its run has the id of that stretch, and
one that is there is left as it is. Limits: `applications/monitoring/thresholds.json`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from applications.orchestration import champion, connections
from applications.orchestration.defaults import LAKE_POOL, TRAINING_POOL, dag_arguments
from applications.orchestration.operators import JobOperator
from applications.orchestration.windows import moment_of

KIND = "model"
PARAMS = {
    "evaluate_days": Param(7, type="integer", minimum=1, maximum=400, title="Days of the evaluation",
                           description="Of how many of the latest labelled days the champion is evaluated"),
    "retrain": Param(True, type="boolean", title="May start a training", description="Off: only says whether one is needed")}


@dag(**dag_arguments("model_monitoring", tags=("monitoring", "ml"), params=PARAMS, doc_md=__doc__,
                     render_template_as_native_obj=True,
                     description="Drift, predictions and performance of the champion; starts a training when it must"))
def model_monitoring() -> None:
    """Wires the tasks."""

    @task
    def find_champion() -> dict[str, str]:
        """The champion; skips the rest while there is none."""
        found = champion.needed()
        return {"version": found.version, "run_id": found.run_id, "features_version": found.features_version,
                "begin": found.trained_on.begin.isoformat(), "end": found.trained_on.end.isoformat()}

    @task(pool=LAKE_POOL)
    def check(theme: str, found: dict[str, str]) -> dict[str, Any]:
        """The checks of one theme, recorded in the table; how many ended how."""
        from applications.monitoring import model, results
        from applications.monitoring.tables import Tables
        context, lake = get_current_context(), connections.lake()
        moment = moment_of(context)
        report = model.check(lake, theme, found, moment)
        results.record(Tables.on_store(lake), KIND, context["dag_run"].run_id, theme, moment, report)
        return report.counts()

    @task(pool=LAKE_POOL)
    def publish(found: dict[str, str], evaluation: dict[str, Any]) -> dict[str, Any]:
        """The page and the metrics of what the run recorded and the job found; why a training is needed, if it is."""
        from applications.monitoring import results
        from applications.monitoring.publishing import publish_model
        from applications.monitoring.tables import Tables
        context, lake = get_current_context(), connections.lake()
        tables, run, moment = Tables.on_store(lake), context["dag_run"].run_id, moment_of(context)
        published = publish_model(lake, tables, KIND, run, moment, found, evaluation)
        if published is None:
            raise AirflowFailException(f"nothing stands in {results.place(KIND)} of this run: clear its check tasks")
        results.tidy(tables, KIND)
        return published

    @task.branch
    def decide(published: dict[str, Any]) -> str:
        """Which way it goes on."""
        allowed = get_current_context()["params"]["retrain"]
        print(published["reason"] or "the champion is as it should be")
        return "start_retraining" if published["reason"] and allowed else "no_retraining"

    @task
    def no_retraining(published: dict[str, Any]) -> str:
        """Says why none is started."""
        why = f"not allowed to (`retrain` is off): {published['reason']}" if published["reason"] else "nothing calls for it"
        print(why)
        return why

    found = find_champion()
    evaluate = JobOperator(
        task_id="evaluate", endpoint="ml_training", kind="evaluate", pool=TRAINING_POOL,
        parameters={"days": "{{ params.evaluate_days }}"}, keep=["run_id", "version", "metrics", "refused"],
        execution_timeout=timedelta(minutes=30))
    published = publish(found, evaluate.output)
    checks = [check.override(task_id=f"check_{theme}")(theme, found) for theme in ("drift", "predictions", "performance")]
    found >> [*checks, evaluate] >> published
    start = TriggerDagRunOperator(
        task_id="start_retraining", trigger_dag_id="scheduled_retraining", trigger_run_id=published["retraining_run"],
        skip_when_already_exists=True, conf={"reason": published["reason"]})
    decide(published) >> [start, no_retraining(published)]


model_monitoring()
