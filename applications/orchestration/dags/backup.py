"""
### Databases and the list of all objects, every day, and proof that they can be restored

| task | what |
| --- | --- |
| plan | the day, the folder, the buckets there are |
| dump | of the databases airflow and mlflow, in one moment each, with rows and hash of every table in that very moment |
| list_objects | key, bytes, ETag and time of every object of every bucket but `backups` |
| write_manifest | makes these parts the day's backup, in one step; what a former run of the day has left is removed |
| verify | restores both dumps into an empty scratch database and compares every table; reads the lists |
| publish | page and metrics |

Everything lies in `backups/daily/<day>/`; the bucket's lifecycle removes it after `backupsDays`. The contents of the lake are not
copied: `operations/lake` (backup) does that, into a directory. A repeated run replaces the day's backup as a whole.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from applications.orchestration import connections
from applications.orchestration.defaults import LAKE_POOL, dag_arguments
from applications.orchestration.windows import moment_of

DATABASES = ("airflow", "mlflow")
PARAMS = {"verify": Param(True, type="boolean", title="Verify", description="Whether a restore of the newest backup is tried")}


@dag(**dag_arguments("backup", tags=("operations",), params=PARAMS, doc_md=__doc__,
                     description="Databases and the buckets' index to backups; verifies a restore"))
def backup() -> None:
    """Wires the tasks."""

    @task
    def plan() -> dict[str, Any]:
        """Where the parts go. A repeated run has a folder of its own, so that nothing that is referred to is overwritten."""
        from applications.orchestration.backup import manifest
        started, day = datetime.now(UTC), moment_of(get_current_context()).date()
        buckets = [bucket for bucket in connections.lake().buckets() if bucket != manifest.BUCKET]
        return {"day": day.isoformat(), "started": started.isoformat(), "place": f"{manifest.folder(day)}/{started:%H%M%S%f}",
                "buckets": buckets}

    @task(pool=LAKE_POOL)
    def dump(database: str, planned: dict[str, Any]) -> dict[str, Any]:
        """One database's part of the manifest."""
        from applications.orchestration.backup import making
        place = f"{planned['place']}/try-{get_current_context()['ti'].try_number}"
        return making.dump_database(connections.lake(), connections.database(database), place).model_dump(mode="json")

    @task(pool=LAKE_POOL)
    def list_objects(planned: dict[str, Any]) -> list[dict[str, Any]]:
        """The buckets' part of the manifest."""
        from applications.orchestration.backup import making
        lake, place = connections.lake(), f"{planned['place']}/try-{get_current_context()['ti'].try_number}"
        return [making.index_bucket(lake, bucket, place).model_dump(mode="json") for bucket in planned["buckets"]]

    @task
    def write_manifest(planned: dict[str, Any], dumps: list[dict[str, Any]], lists: list[dict[str, Any]]) -> dict[str, Any]:
        """Makes the parts the backup of the day."""
        from applications.orchestration.backup import making
        return making.facts(making.finish(connections.lake(), planned["day"], planned["started"], dumps, lists))

    @task(pool=LAKE_POOL)
    def verify(written: dict[str, Any]) -> dict[str, int]:
        """Tries a restore of the newest backup, which is this one unless an older day's run was repeated."""
        from applications.orchestration.backup import making
        if not get_current_context()["params"]["verify"]:
            raise AirflowSkipException(f"`verify` is off: nobody has tried to restore the backup of {written['day']}")
        return making.verify(connections.lake(), connections.database("scratch"))

    @task(trigger_rule="none_failed")
    def publish(written: dict[str, Any], verified: dict[str, int] | None = None) -> str:
        """The page and the metrics."""
        from applications.orchestration.backup.publishing import publish_backup
        return publish_backup(connections.lake(), moment_of(get_current_context()), datetime.now(UTC), written, verified)

    planned = plan()
    dumps = [dump.override(task_id=f"dump_{database}")(database, planned) for database in DATABASES]
    written = write_manifest(planned, dumps, list_objects(planned))
    publish(written, verify(written))


backup()
