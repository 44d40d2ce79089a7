"""Rule: Airflow reads every DAG, lets in whom it knows, says why a run failed, and its backup can be restored."""

from __future__ import annotations

from hashlib import sha256

import psycopg

from applications.orchestration.backup.manifest import Manifest
from components.infrastructure.tables import BUCKETS
from components.orchestration.settings import SCHEDULED
from tests.e2e.airflow_pages import ADMIN, login, page, token
from tests.e2e.command import Command
from tests.e2e.flow import wait_until
from tests.e2e.lake import objects
from tests.e2e.stack import Stack
from tests.e2e.workflows import ALERT, PIPELINE, Workflows, metrics


def test_every_dag_is_read_and_runs_as_the_stack_says(workflows: Workflows) -> None:
    """All of them, without a fault; the schedules are the stack's, which here lets one run by itself at most."""
    assert workflows.airflow.import_errors() == {}
    found = {dag.id: dag for dag in workflows.airflow.dags()}
    assert set(found) == {*SCHEDULED, "feature_backfill"}
    assert {name for name, dag in found.items() if dag.next_time is not None} <= {PIPELINE}


def test_nobody_gets_in_without_a_password(platform: Stack) -> None:
    """Neither without, nor with a wrong one; the configuration is shown to nobody."""
    assert page(platform, "/api/v2/dags").status_code == 401
    assert login(platform, ADMIN, "admin").status_code == 401
    answer = page(platform, "/api/v2/config", token(platform))
    assert answer.status_code == 403, answer.text


def test_a_run_that_cannot_be_fails_at_once_and_says_why(platform: Stack, workflows: Workflows) -> None:
    """Records of tomorrow: no other try, the reason in the log, and nothing after it begins."""
    workflows.airflow.pause(PIPELINE, False)
    run = workflows.refused()
    task = workflows.task(run, "wait_for_bronze")
    assert run.state == "failed" and task.state == "failed" and task.attempt == 1
    assert "is in the future" in workflows.airflow.log(run, task)
    assert {found.state for found in workflows.airflow.tasks(run) if found.id != task.id} == {"upstream_failed"}
    wait_until("an alert is open", lambda: ALERT in metrics(platform))
    workflows.airflow.pause(PIPELINE, True)


def test_a_backup_holds_the_databases_and_can_be_restored(platform: Stack, workflows: Workflows, command: Command) -> None:
    """Dumps, the index of every bucket, a manifest with hashes; restored into an empty database by the DAG itself, which leaves
    nothing there."""
    run = command("orchestration", "trigger", "backup", "--note", "by hand", "--wait", "--json").data()
    assert (run["state"], run["note"]) == ("success", "by hand")
    tasks = workflows.succeeded(workflows.airflow.run("backup", run["id"]))
    assert tasks["verify"].state == "success"
    found = objects(platform, "backups", "daily/")
    manifests = [Manifest.model_validate_json(body) for key, body in found.items() if key.endswith("manifest.json")]
    assert len(manifests) == 1
    assert all(sha256(found[content.key]).hexdigest() == content.sha256 for content in manifests[0].contents())
    tables = {dump.database: {name: facts.rows for name, facts in dump.tables.items()} for dump in manifests[0].databases}
    assert tables["airflow"]["public.dag"] == len(SCHEDULED) + 1 and "public.model_versions" in tables["mlflow"]
    listed = {index.bucket: index.objects for index in manifests[0].buckets}
    assert set(listed) == set(BUCKETS) - {"backups"} and listed["bronze"] > 0
    with psycopg.connect(host="127.0.0.1", port=platform.port("postgres-airflow"), dbname="scratch", user="scratch",
                         password=platform.secrets["scratch-database"]) as connection:
        left = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert left == (0,)
