"""Airflow's image: it holds what tasks need, and the task that prepares a database does it the same way every time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker.models.containers import Container

import components.orchestration
from components.files import render
from operations.images import connect
from tests.images.boxes import Boxes, run, until

FOLDER = Path(components.orchestration.__file__).parent
USER, PASSWORD = "1000:1000", "canarydatabase0123456789"
FRESH, RACED = int(os.environ.get("FRESH_DATABASES", "4")), 2
"""FRESH_DATABASES=20 looks harder, which takes minutes."""
INIT = ("python3", "-m", "applications.orchestration.init")
ADMIN, MONITORING, KEY = "canaryadmin0123456789", "canarymonitoring0123456789", "canarykey0123456789"
CONNECTIONS = {"spark_batch": {"conn_type": "http", "host": "spark-batch", "port": 8080, "schema": "http", "password": KEY},
               "kafka": {"conn_type": "generic", "extra": {"bootstrap": "kafka:29092"}}}
# All that the task makes, as one text; what differs from run to run (hashes with their salts, times) is left out.
STATE = """
select (select count(*) from information_schema.tables where table_schema = 'public'),
       (select string_agg(u.username || '=' || r.name, ' ' order by u.username, r.name) from ab_user u
          join ab_user_role ur on ur.user_id = u.id join ab_role r on r.id = ur.role_id),
       (select md5(string_agg(r.name || a.name || v.name, ' ' order by r.name, a.name, v.name)) from ab_permission_view_role pr
          join ab_role r on r.id = pr.role_id join ab_permission_view p on p.id = pr.permission_view_id
          join ab_permission a on a.id = p.permission_id join ab_view_menu v on v.id = p.view_menu_id),
       (select string_agg(conn_id || '=' || conn_type || ':' || coalesce(host, '') || ':' || coalesce(port, 0) || ':'
          || is_encrypted, ' ' order by conn_id) from connection),
       (select string_agg(pool || '=' || slots || ':' || include_deferred, ' ' order by pool) from slot_pool),
       (select string_agg(key, ' ' order by key) from variable)
"""
ROWS = """
select string_agg(table_name || '=' || (xpath('/row/c/text()', query_to_xml('select count(*) as c from ' || quote_ident(table_name),
       false, true, '')))[1]::text, ' ' order by table_name) from information_schema.tables where table_schema = 'public'
"""


@dataclass(frozen=True)
class World:
    """A PostgreSQL server, and a container of Airflow's image that waits for commands."""

    server: Container
    airflow: Container

    def init(self, database: str, *, login: str = f"airflow:{PASSWORD}@postgres:5432") -> tuple[int, str]:
        """Prepares a database; the task's exit status and words."""
        where = f"postgresql+psycopg2://{login}/{database}"
        return run(self.airflow, *INIT, environment={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": f"printf {where}"})

    def query(self, database: str, sql: str) -> str:
        """The rows of a query, as text."""
        status, output = run(self.server, "psql", "-U", "airflow", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, database)
        assert status == 0, output
        return output.strip()

    def fresh(self, name: str) -> str:
        """A new, empty database."""
        self.query("postgres", f"create database {name}")
        return name


@pytest.fixture(scope="module")
def world(image: Callable[[str], str]) -> Iterator[World]:
    """Both containers with the configuration that the program gives them."""
    client = connect()
    boxes = Boxes(client, prefix=f"images-test-airflow-{os.getpid()}")
    try:
        network = boxes.network()
        server = boxes.start(
            image("postgres"), ["docker-entrypoint.sh", "postgres", "-c", "shared_buffers=64MB", "-c", "fsync=off"],
            user="999:999", memory="512m", network=network, alias="postgres", tmpfs=("/tmp", "/var/run/postgresql"),
            volumes={boxes.volume(): "/var/lib/postgresql/data", boxes.volume(): "/run/secrets"},
            environment={"POSTGRES_USER": "airflow", "POSTGRES_DB": "postgres", "POSTGRES_PASSWORD_FILE": "/run/secrets/password"},
            files={"/run/secrets/password": PASSWORD})
        until(lambda: run(server, "pg_isready", "-h", "127.0.0.1", "-q")[0] == 0, "PostgreSQL answers", server)
        secrets = {"airflow-database": f"postgresql+psycopg2://airflow:{PASSWORD}@postgres:5432/prepared", "airflow-admin": ADMIN,
                   "airflow-monitoring": MONITORING, "connections.json": json.dumps(CONNECTIONS),
                   "fernet-key": "A" * 43 + "=", "airflow-secret-key": "s" * 32, "airflow-jwt-secret": "j" * 64}
        configuration = render(FOLDER, "airflow.cfg", executor="LocalExecutor", webserver="airflow-webserver", parallelism=4,
                               base_url="http://127.0.0.1:8085", log_bucket="airflow-logs", instance="test")
        airflow = boxes.start(
            image("airflow"), ["sleep", "infinity"], user=USER, memory="2g", network=network, alias="airflow",
            volumes={boxes.volume(): "/run/secrets", boxes.volume(): "/run/config"},
            files={"/run/config/airflow.cfg": configuration, **{f"/run/secrets/{k}": v for k, v in secrets.items()}})
        yield World(server, airflow)
    finally:
        boxes.clean()
        client.close()


@pytest.fixture(scope="module")
def prepared(world: World) -> str:
    """A database that was prepared once."""
    status, output = world.init(world.fresh("prepared"))
    assert status == 0, output
    return "prepared"


def test_the_image_holds_what_processes_and_tasks_need(world: World) -> None:
    """Both executors, the handler of logs, the libraries of tasks and PostgreSQL's tools of the servers' version."""
    modules = ("airflow.providers.celery.executors.celery_executor_utils", "airflow.providers.celery.executors.celery_executor",
               "airflow.providers.amazon.aws.log.s3_task_handler", "airflow.providers.standard.operators.python",
               "airflow.providers.postgres.hooks.postgres", "deltalake", "duckdb", "pyarrow", "minio", "confluent_kafka",
               "scipy.stats", "httpx", "psycopg", "applications.clinical.silver",
               "applications.monitoring", "applications.orchestration")
    status, output = run(world.airflow, "python3", "-c", f"import {', '.join(modules)}")
    assert status == 0, output
    assert run(world.airflow, "pg_dump", "--version")[1].startswith("pg_dump (PostgreSQL) 15.")
    assert run(world.airflow, "python3", "-m", "pip", "--version")[0] != 0
    assert run(world.airflow, "cat", "/opt/worker-health.py")[0] == 0


def test_a_fresh_database_becomes_the_same_every_time(world: World, prepared: str) -> None:
    """Whatever else the machine does: here two are made side by side."""
    names = [world.fresh(f"fresh_{number}") for number in range(FRESH)]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(world.init, names))
    assert [output for status, output in ended if status != 0] == []
    assert {world.query(name, STATE) for name in names} == {world.query(prepared, STATE)}


def test_two_at_the_same_time_do_the_work_of_one(world: World, prepared: str) -> None:
    """An update that was cut off may have left one running."""
    for number in range(RACED):
        name = world.fresh(f"raced_{number}")
        with ThreadPoolExecutor(2) as pool:
            ended = list(pool.map(world.init, [name, name]))
        assert [output for status, output in ended if status != 0] == []
        assert world.query(name, STATE) == world.query(prepared, STATE)


def test_what_is_made_is_what_was_given(world: World, prepared: str) -> None:
    """Users, connections, pools and variables by name; passwords as hashes, keys encrypted."""
    tables, users, _, connections, pools, variables = world.query(prepared, STATE).split("|")
    assert int(tables) > 40
    assert users == "admin=Admin monitoring=Monitoring"
    assert connections == "kafka=generic::0:false spark_batch=http:spark-batch:8080:true"
    assert pools == "default_pool=128:false lake=2:true spark_batch=1:true training=1:true"
    assert variables == "retraining_seed"
    stored = world.query(prepared, "select password, extra from connection") + world.query(prepared, "select password from ab_user")
    assert "scrypt:" in stored and "canary" not in stored and "29092" not in stored


def test_a_second_run_changes_nothing_and_keeps_what_users_made(world: World, prepared: str) -> None:
    """Not even the hash of a password; a variable that was changed keeps its value."""
    world.query(prepared, "insert into connection (conn_id, conn_type, is_encrypted, is_extra_encrypted) "
                          "values ('own', 'http', false, false); "
                          "insert into slot_pool (pool, slots, include_deferred) values ('own', 7, false); "
                          "update variable set val = '21', is_encrypted = false where key = 'retraining_seed'")
    values = "select (select string_agg(password, ' ' order by id) from ab_user), (select val from variable)"
    before = [world.query(prepared, sql) for sql in (STATE, ROWS, values)]
    status, output = world.init(prepared)
    assert status == 0, output
    assert [world.query(prepared, sql) for sql in (STATE, ROWS, values)] == before
    assert "own=http" in before[0] and before[2].endswith("|21")
    world.query(prepared, "delete from connection where conn_id = 'own'; delete from slot_pool where pool = 'own'")


def test_a_user_gets_the_role_and_the_password_back(world: World, prepared: str) -> None:
    """Rotating a secret and running the task again is all that it takes; other roles stay."""
    world.query(prepared, "update ab_user set password = 'scrypt:32768:8:1$a$00', active = false where username = 'monitoring'; "
                          "update ab_user_role set role_id = (select id from ab_role where name = 'Viewer') "
                          "where user_id = (select id from ab_user where username = 'monitoring')")
    assert world.init(prepared)[0] == 0
    assert world.query(prepared, STATE).split("|")[1] == "admin=Admin monitoring=Monitoring monitoring=Viewer"
    stored = world.query(prepared, "select password from ab_user where active and username = 'monitoring'")
    check = f"from werkzeug.security import check_password_hash as c; raise SystemExit(not c({stored!r}, {MONITORING!r}))"
    assert run(world.airflow, "python3", "-c", check)[0] == 0
    world.query(prepared, "delete from ab_user_role where role_id = (select id from ab_role where name = 'Viewer')")


@pytest.mark.parametrize(("login", "words"), [
    ("airflow:wrongpassword@postgres:5432", "the database prepared on postgres:5432 lets nobody in"),
    (f"airflow:{PASSWORD}@nowhere.invalid:5432", "the database prepared on nowhere.invalid:5432 lets nobody in")])
def test_a_database_that_lets_nobody_in_is_named(world: World, prepared: str, login: str, words: str) -> None:
    """In one message with what to do, without the password."""
    status, output = world.init(prepared, login=login)
    assert status == 1 and words in output, output
    assert "./pipeline infrastructure health" in output
    assert "Traceback" not in output and "password@" not in output and PASSWORD not in output


def test_tables_of_a_newer_release_are_left_alone(world: World) -> None:
    """They are named as such, and nothing is changed."""
    name = world.fresh("newer")
    world.query(name, "create table alembic_version (version_num text primary key); "
                      "insert into alembic_version values ('ffffffffffff')")
    status, output = world.init(name)
    assert status == 1 and "a newer Airflow has migrated them" in output and "Traceback" not in output, output
    assert world.query(name, ROWS) == "alembic_version=1"
