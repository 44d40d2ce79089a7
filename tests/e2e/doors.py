"""Which value of a secret is let in, asked of the store or the service that keeps it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping

import httpx
import psycopg
import redis
from minio import Minio
from minio.error import S3Error

from components.infrastructure.minio import ROOT_USER
from components.infrastructure.postgres import ADMIN, EXPORTER
from components.infrastructure.tables import DATABASES, LAKE_USERS
from tests.e2e.airflow_pages import login
from tests.e2e.stack import Stack

Door = Callable[[Stack, str], bool]
REFUSED = (401, 403)


def cache(stack: Stack, secret: str) -> bool:
    """Redis."""
    try:
        return bool(redis.Redis(port=stack.port("redis"), password=secret).ping())
    except redis.AuthenticationError:
        return False


def database(server: str, role: str, name: str) -> Door:
    """A PostgreSQL server, which lets a role into a database."""
    def ask(stack: Stack, secret: str) -> bool:
        try:
            with psycopg.connect(host="127.0.0.1", port=stack.port(server), user=role, password=secret, dbname=name):
                return True
        except psycopg.OperationalError as error:
            assert "password authentication failed" in str(error)
            return False
    return ask


def lake(user: str) -> Door:
    """MinIO; what a user may not read it is let in for all the same."""
    def ask(stack: Stack, secret: str) -> bool:
        try:
            next(Minio(f"127.0.0.1:{stack.port('minio')}", user, secret, secure=False).list_objects("bronze"), None)
        except S3Error as error:
            assert error.code in ("SignatureDoesNotMatch", "AccessDenied"), error
            return error.code == "AccessDenied"
        return True
    return ask


def queue(user: str) -> Door:
    """RabbitMQ, asked by itself: only one of its users may use its page."""
    def ask(stack: Stack, secret: str) -> bool:
        status, _ = stack.containers()["clinical-mq"].exec_run(["rabbitmqctl", "authenticate_user", user, secret])
        return bool(status == 0)
    return ask


def key(service: str, path: str, scheme: str = "X-API-Key") -> Door:
    """A service that takes keys; a request without sense is refused for what it is once the key is known."""
    def ask(stack: Stack, secret: str) -> bool:
        value = f"Bearer {secret}" if scheme == "Authorization" else secret
        answer = httpx.post(f"http://127.0.0.1:{stack.port(service)}{path}", content=b"{", timeout=30,
                            headers={scheme: value, "Content-Type": "application/json"})
        assert answer.status_code in (*REFUSED, 400, 422), answer.text
        return answer.status_code not in REFUSED
    return ask


def airflow(user: str) -> Door:
    """Airflow, which gives a token."""
    def ask(stack: Stack, secret: str) -> bool:
        answer = login(stack, user, secret)
        assert answer.status_code in (201, 401), answer.text
        return answer.status_code == 201
    return ask


def redis_token(stack: Stack, secret: str) -> str:
    """The token that the page of the cache gives for its password; empty when it gives none."""
    answer = httpx.post(f"{stack.outputs()['urls']['redis-insight']}/signin", data={"username": "admin", "password": secret})
    found = answer.raise_for_status().json()
    return str(found["bearerToken"]) if found["ok"] else ""


def redis_page(stack: Stack, secret: str) -> bool:
    """The page of the cache."""
    return redis_token(stack, secret) != ""


DOORS: Mapping[str, Door] = {
    "redis": cache, "redis-insight": redis_page, "minio-root": lake(ROOT_USER),
    **{f"{spec.server}-admin": database(spec.server, ADMIN, "postgres") for spec in DATABASES},
    **{f"{spec.name}-database": database(spec.server, spec.name, spec.name) for spec in DATABASES},
    "postgres-exporter": database("postgres-mlflow", EXPORTER, "postgres"),
    **{f"lake-{user}": lake(user) for user in LAKE_USERS},
    **{f"mq-{user}": queue(user) for user in ("gateway", "lab-processor", "monitor")},
    **{f"gateway-key-{client}": key("clinical-data-gateway", "/events") for client in ("generator", "site")},
    "spark-jobs-key": key("spark-batch", "/jobs"), "features-jobs-key": key("feature-engineering", "/jobs"),
    "training-jobs-key": key("ml-training", "/jobs"),
    **{f"serving-key-{client}": key("model-serving", "/v1/predict") for client in ("clinic", "monitoring")},
    **{f"airflow-{user}": airflow(user) for user in ("admin", "monitoring")},
    "alert-webhook": key("monitoring-service", "/alerts", "Authorization"),
}
"""By secret; some are no door of anything that can be asked from here."""


def lets_in(stack: Stack, name: str, secret: str) -> bool:
    """Whether whoever keeps the secret takes this value of it."""
    return DOORS[name](stack, secret)


def secrets_of(stack: Stack) -> dict[str, str]:
    """The secrets that the stack has now; what prints them keeps no log."""
    shown = subprocess.run(stack.command("config", "--show-secrets", "--json"), cwd=stack.folder, env=stack.environment,
                           capture_output=True, text=True, check=True).stdout
    found: dict[str, str] = json.loads(json.loads(shown)["clinical:secrets"]["value"])
    return found
