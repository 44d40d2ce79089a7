"""
### A new version, and the champion if it is better

Brings features and labels up to date, trains, and promotes a version that passes every gate. Afterwards model-serving must name
the new version and answer with it within `verify_minutes`; else the one before is made champion again, and the run fails.

| task | what |
| --- | --- |
| is_due | skips a planned run while there is no champion: ml-training makes the first one by itself |
| refresh_features | job `incremental` of feature-engineering |
| train | job `train`, which registers what passes the gates on data and promotes nothing by itself |
| judge | the gates as a table in the log; goes on with `promote` or `keep` |
| promote / keep | job `promote`, or the reason why the champion stays |
| verify_serving | asks model-serving for its version and for a prediction of features of nobody |
| roll_back, report_roll_back | only after a check that failed: job `rollback`; waits until the former one serves, and fails |

Keep the seed: it decides which patients are held out, and a champion of another seed has seen some of them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from applications.orchestration import champion, connections, judging, serving
from applications.orchestration.defaults import TRAINING_POOL, dag_arguments
from applications.orchestration.operators import JobOperator

TRAINED = "ti.xcom_pull(task_ids='train')"
KEPT = ("run_id", "kind", "version", "refused", "gates", "metrics", "champion_before", "data_version")
PARAMS = {
    "seed": Param(20, type="integer", minimum=0, maximum=2**31 - 1, title="Seed",
                  description="Decides which patients are held out; keep it"),
    "promote": Param(True, type="boolean", title="Promote",
                     description="Whether a version that passes every gate becomes champion"),
    "verify_minutes": Param(5, type="integer", minimum=1, maximum=60, title="Verify for minutes",
                            description="How long model-serving may take to answer with the new version"),
    "reason": Param("", type="string", maxLength=500, title="Reason", description="Why this run was started; kept with it")}


@dag(**dag_arguments("scheduled_retraining", tags=("ml",), params=PARAMS, doc_md=__doc__,
                     description="Train, judge, promote or keep, verify serving, roll back"))
def scheduled_retraining() -> None:
    """Wires the tasks."""

    @task
    def is_due() -> str:
        """Skips the run that a new platform's schedule begins with: it would train on a history that is still on its way."""
        if get_current_context()["dag_run"].run_type != "scheduled":
            return "asked for"
        return f"version {champion.needed().version} is champion"

    @task.branch
    def judge(trained: dict[str, Any]) -> str:
        """Which way it goes on."""
        verdict = judging.judged(trained, _params()["promote"])
        print(f"{verdict.why}\n{judging.table(trained['gates'])}")
        return "promote" if verdict.promote else "keep"

    @task
    def keep(trained: dict[str, Any]) -> dict[str, Any]:
        """Says why the champion stays."""
        verdict = judging.judged(trained, _params()["promote"])
        print(f"the champion (version {trained['champion_before'] or 'none yet'}) stays: {verdict.why}")
        return {"champion": trained["champion_before"], "why": verdict.why}

    @task.branch(execution_timeout=timedelta(minutes=65))
    def verify_serving(promoted: dict[str, Any]) -> str | None:
        """Goes on with `roll_back` only when the check itself failed: a task that was killed, or was never reached, says nothing
        of the version. Else nothing follows."""
        fault = _fault(promoted["champion"])
        if fault is None:
            print(f"version {promoted['champion']} serves")
            return None
        get_current_context()["ti"].xcom_push(key="fault", value=fault)
        print(f"the version before is made champion again: {fault}")
        return "roll_back"

    @task(retries=0, execution_timeout=timedelta(minutes=65))
    def report_roll_back(rolled: dict[str, Any]) -> None:
        """Fails in any case: whoever reads the run must learn that the new version did not serve. Says whether the former does."""
        why = get_current_context()["ti"].xcom_pull(task_ids="verify_serving", key="fault")
        now = _fault(rolled["champion"]) or "and it serves"
        raise AirflowFailException(f"version {rolled['before']} was rolled back ({why}). Version {rolled['champion']} is champion "
                                   f"again, {now}")

    refresh = JobOperator(task_id="refresh_features", endpoint="feature_engineering", kind="incremental",
                          execution_timeout=timedelta(hours=2))
    train = JobOperator(task_id="train", endpoint="ml_training", kind="train", pool=TRAINING_POOL, keep=KEPT,
                        parameters={"seed": "{{ params.seed }}", "promote": False}, execution_timeout=timedelta(hours=3), retries=1)
    promote = JobOperator(task_id="promote", endpoint="ml_training", kind="promote", pool=TRAINING_POOL,
                          parameters={"version": f"{{{{ {TRAINED}['version'] }}}}"})
    roll_back = JobOperator(task_id="roll_back", endpoint="ml_training", kind="rollback", pool=TRAINING_POOL)
    judged = judge(train.output)
    is_due() >> refresh >> train
    judged >> [promote, keep(train.output)]
    verify_serving(promote.output) >> roll_back >> report_roll_back(roll_back.output)


def _params() -> Any:
    return get_current_context()["params"]


def _fault(version: int) -> str | None:
    """None once the version serves, else why it does not within the run's `verify_minutes`."""
    seconds = _params()["verify_minutes"] * 60
    try:
        features = serving.trial_features(connections.endpoint("feature_engineering"))
        serving.await_version(connections.endpoint("model_serving"), version, features, seconds)
    except serving.ServingFault as error:
        return str(error)
    return None


scheduled_retraining()
