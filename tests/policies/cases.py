"""A good resource of each type, and for each rule the changes that break it with a word of the message."""

from __future__ import annotations

import json
from typing import Any

from policies.containers import CONTAINER, IMAGE, NETWORK, VOLUME
from policies.data import BUCKET, BUCKET_POLICY, USER_POLICY
from policies.databases import DATABASE, GRANT, ROLE
from policies.kafka import ACL, TOPIC

LAKE_USER, MINIO = "minio:index/iamUser:IamUser", "pulumi:providers:minio"
GENERATED = "3f9a1c77d2e84b06a5c1f0e92b7d4c58"
WEAK = "hunter2"


def labels(*keys: str) -> list[dict[str, str]]:
    """Labels of the platform, as Docker's provider wants them."""
    return [{"label": f"clinical.{key}", "value": key} for key in keys]


def document(**statement: Any) -> str:
    """A policy document of one statement that allows something."""
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::bronze/*"],
                                      **statement}]})


GOOD: dict[str, dict[str, Any]] = {
    CONTAINER: {
        "image": "sha256:0", "user": "1000:1000", "memory": 256, "memorySwap": 256, "cpus": "1.0", "readOnly": True,
        "ulimits": [{"name": "nproc", "soft": 100, "hard": 100}], "logOpts": {"max-size": "10m", "max-file": "3"},
        "capabilities": {"drops": ["ALL"], "adds": []}, "securityOpts": ["no-new-privileges:true"],
        "healthcheck": {"tests": ["CMD", "sh", "-c", 'AUTH="$(cat /run/secrets/password)" ping --password "$AUTH"']},
        "ports": [{"internal": 80, "external": 8080, "ip": "127.0.0.1"}],
        "envs": ["HOME=/tmp", "DB_PASSWORD_FILE=/run/secrets/password", "JAVA_OPTS=-Xms64m -Xmx128m",
                 "API_TOKEN=/run/secrets/token", "TOKEN_TTL=3600", "AWS_ACCESS_KEY_ID=spark", "URL=http://user@host:80/path"],
        "command": ["serve", "--config", "/run/config/server.properties", "--secret", "/run/secrets/key", "--token", "--all"],
        "entrypoints": ["serve"],
        "volumes": [{"volumeName": "data", "containerPath": "/data"}],
        "uploads": [{"file": "/run/secrets/dsn", "content": f"postgres://mlflow:{GENERATED}@db/mlflow"},
                    {"file": "/run/config/server.properties", "content": "url=http://kafka:9092"}],
        "labels": labels("project", "stack", "layer", "service")},
    IMAGE: {"name": "postgres:15.14-bookworm"},
    NETWORK: {"name": "n", "labels": labels("project", "stack", "layer")},
    VOLUME: {"name": "v", "labels": labels("project", "stack", "layer", "service")},
    BUCKET: {"bucket": "bronze", "acl": "private"},
    BUCKET_POLICY: {"bucket": "bronze", "policy": document(Principal={"AWS": ["arn:aws:iam:::user/spark"]})},
    USER_POLICY: {"name": "spark", "policy": document()},
    TOPIC: {"name": "t", "replicationFactor": 3, "config": {"retention.ms": "1000", "min.insync.replicas": "2"}},
    ACL: {"aclPrincipal": "User:spark", "aclPermissionType": "Allow", "aclOperation": "Read", "aclResourceName": "lab-results"},
    ROLE: {"name": "mlflow", "connectionLimit": 20, "superuser": False, "roles": ["pg_monitor"], "password": GENERATED},
    GRANT: {"role": "public", "privileges": []},
    DATABASE: {"name": "mlflow", "owner": "mlflow"},
    LAKE_USER: {"name": "spark", "secret": GENERATED},
    MINIO: {"minioUser": "lake-root", "minioPassword": GENERATED},
}
BAD: list[tuple[str, str, dict[str, Any], str]] = [
    ("image-pinned", IMAGE, {"name": "postgres"}, "not pinned"),
    ("image-pinned", IMAGE, {"name": "postgres:latest"}, "not pinned"),
    ("image-pinned", IMAGE, {"name": "postgres:15"}, "not pinned"),
    ("image-pinned", IMAGE, {"name": "postgres:15-bookworm"}, "not pinned"),
    ("image-pinned", IMAGE, {"name": "registry.example:5000/postgres"}, "not pinned"),
    ("image-pinned", CONTAINER, {"image": "redis:latest"}, "not pinned"),
    ("container-watched", CONTAINER, {"healthcheck": None}, "no health check"),
    ("container-bounded", CONTAINER, {"memory": None}, "memory limit"),
    ("container-bounded", CONTAINER, {"memorySwap": 512}, "swaps"),
    ("container-bounded", CONTAINER, {"cpus": None}, "processor limit"),
    ("container-bounded", CONTAINER, {"ulimits": []}, "processes"),
    ("container-bounded", CONTAINER, {"logOpts": {}}, "rotated"),
    ("container-hardened", CONTAINER, {"privileged": True}, "privileged"),
    ("container-hardened", CONTAINER, {"capabilities": None}, "drop ALL"),
    ("container-hardened", CONTAINER, {"capabilities": {"drops": ["ALL"], "adds": ["CAP_SYS_ADMIN"]}}, "SYS_ADMIN"),
    ("container-hardened", CONTAINER, {"securityOpts": []}, "no-new-privileges"),
    ("container-hardened", CONTAINER, {"user": "0:0"}, "root"),
    ("container-hardened", CONTAINER, {"user": None}, "root"),
    ("container-hardened", CONTAINER, {"readOnly": False, "uploads": None}, "readOnly"),
    ("container-separated", CONTAINER, {"networkMode": "host"}, "networkMode"),
    ("container-separated", CONTAINER, {"pidMode": "host"}, "pidMode"),
    ("container-separated", CONTAINER, {"volumes": [{"hostPath": "/var/run/docker.sock"}]}, "Docker's socket"),
    ("container-separated", CONTAINER, {"volumes": [{"hostPath": "/var/run/docker.sock", "readOnly": True}]}, "Docker's socket"),
    ("container-separated", CONTAINER, {"volumes": [{"hostPath": "/var/lib/docker/containers", "readOnly": True}]}, "of the host"),
    ("container-separated", CONTAINER, {"volumes": [{"hostPath": "/etc"}]}, "/etc"),
    ("container-separated", CONTAINER, {"mounts": [{"type": "bind", "source": "/srv", "target": "/x"}]}, "/srv"),
    ("container-separated", CONTAINER, {"devices": [{"hostPath": "/dev/kvm"}]}, "/dev/kvm"),
    ("container-local", CONTAINER, {"ports": [{"internal": 80, "external": 80}]}, "port 80 is published on 0.0.0.0"),
    ("container-local", CONTAINER, {"ports": [{"internal": 80, "external": 80, "ip": "no address"}]}, "no address"),
    ("container-local", CONTAINER, {"ports": [{"internal": 80, "external": 80, "ip": "10.0.0.1"}]}, "10.0.0.1"),
    ("labelled", CONTAINER, {"labels": []}, "clinical.layer"),
    ("labelled", VOLUME, {"labels": labels("stack")}, "clinical.project"),
    ("labelled", NETWORK, {"labels": []}, "clinical.stack"),
    ("secret-named", CONTAINER, {"envs": [f"REDIS_PASSWORD={WEAK}"]}, "REDIS_PASSWORD"),
    ("secret-named", CONTAINER, {"envs": ["AWS_SECRET_ACCESS_KEY=abc"]}, "AWS_SECRET_ACCESS_KEY"),
    ("secret-named", CONTAINER, {"envs": ["FERNET_KEY=abc"]}, "FERNET_KEY"),
    ("secret-named", CONTAINER, {"envs": [f"PASSWORD=/{WEAK}"]}, "PASSWORD"),
    ("secret-named", CONTAINER, {"command": [f"--http-auth-password={WEAK}"]}, "--http-auth-password in its command"),
    ("secret-named", CONTAINER, {"command": ["--requirepass", WEAK]}, "--requirepass"),
    ("secret-named", CONTAINER, {"entrypoints": ["java", f"-Dstore.password={WEAK}"]}, "entrypoint"),
    ("secret-named", CONTAINER, {"healthcheck": {"tests": ["CMD-SHELL", f"ping --password {WEAK}"]}}, "health check"),
    ("secret-named", CONTAINER, {"labels": [{"label": "api-token", "value": WEAK}]}, "api-token in its labels"),
    ("secret-named", CONTAINER, {"envs": [f"DSN=postgres://airflow:{WEAK}@db/airflow"]}, "address with a password"),
    ("secret-generated", CONTAINER, {"healthcheck": {"tests": ["CMD", f"x{GENERATED}"]}}, "health check"),
    ("secret-generated", CONTAINER, {"envs": [f"THING={GENERATED}"]}, "environment"),
    ("secret-generated", CONTAINER, {"command": [f"--pass={GENERATED}"]}, "command"),
    ("secret-generated", CONTAINER, {"labels": [{"label": "a", "value": GENERATED}]}, "labels"),
    ("secret-strong", ROLE, {"password": WEAK}, "password is a weak password"),
    ("secret-strong", ROLE, {"password": "abababababababababab"}, "weak"),
    ("secret-strong", LAKE_USER, {"secret": "minioadmin0123456789"}, "secret is a weak password"),
    ("secret-strong", MINIO, {"minioPassword": "minioadmin"}, "minioPassword"),
    ("secret-filed", CONTAINER, {"uploads": [{"file": "/run/secrets/key", "content": "\n"}]}, "/run/secrets/key is empty"),
    ("secret-filed", CONTAINER, {"uploads": [{"file": "/run/secrets/key", "content": "Admin\n"}]}, "a default password"),
    ("secret-filed", CONTAINER, {"uploads": [{"file": "/run/config/db", "content": f"amqp://u:{WEAK}@mq"}]}, "/run/config/db"),
    ("volume-named", VOLUME, {"name": None}, "no name"),
    ("bucket-private", BUCKET, {"forceDestroy": True}, "forceDestroy"),
    ("bucket-private", BUCKET, {"acl": "public-read"}, "public-read"),
    ("bucket-private", BUCKET_POLICY, {"policy": document(Principal="*")}, "everybody"),
    ("bucket-private", BUCKET_POLICY, {"policy": document(Principal={"AWS": ["*"]})}, "everybody"),
    ("access-narrow", USER_POLICY, {"policy": document(Action="s3:*")}, "every action (s3:*)"),
    ("access-narrow", USER_POLICY, {"policy": document(Action=None, NotAction="s3:DeleteBucket")}, "every action (NotAction)"),
    ("access-narrow", USER_POLICY, {"policy": document(Resource=["arn:aws:s3:::*"])}, "every bucket (arn:aws:s3:::*)"),
    ("access-narrow", USER_POLICY, {"policy": document(Resource="*")}, "every bucket (*)"),
    ("access-narrow", BUCKET_POLICY, {"policy": "everything"}, "no JSON object"),
    ("topic-kept", TOPIC, {"config": {"min.insync.replicas": "1"}}, "neither retention.ms"),
    ("topic-kept", TOPIC, {"config": {"min.insync.replicas": "1", "retention.ms": "-1"}}, "for ever"),
    ("topic-kept", TOPIC, {"config": {"cleanup.policy": "compact"}}, "min.insync"),
    ("topic-kept", TOPIC, {"replicationFactor": None}, "replicationFactor"),
    ("topic-kept", TOPIC, {"replicationFactor": 1}, "no record could be written"),
    ("acl-narrow", ACL, {"aclPrincipal": "User:*"}, "everybody"),
    ("acl-narrow", ACL, {"aclResourceName": "*"}, "every resource"),
    ("acl-narrow", ACL, {"aclOperation": "All"}, "every operation"),
    ("role-bounded", ROLE, {"superuser": True}, "superuser"),
    ("role-bounded", ROLE, {"roles": ["pg_write_all_data"]}, "member of pg_write_all_data"),
    ("role-bounded", ROLE, {"connectionLimit": -1}, "connectionLimit"),
    ("database-closed", GRANT, {"privileges": ["CONNECT"]}, "everybody gets CONNECT"),
]
