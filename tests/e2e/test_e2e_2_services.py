"""Rule: each service answers through its real protocol, from the host and from the network, whom it should and no other."""

from __future__ import annotations

import http.cookiejar
import json
import secrets
import urllib.error
import urllib.request

import pytest

from components.infrastructure.tables import BUCKETS, DATABASES, LAKE_USERS, TOPICS, Access, DatabaseSpec
from tests.e2e.doors import redis_token
from tests.e2e.places import Place
from tests.e2e.probes import SEED, s3_client
from tests.e2e.stack import Stack

EVERYTHING = ["list", "read", "write", "delete"]
databases = pytest.mark.parametrize("spec", DATABASES, ids=lambda spec: str(spec.name))


def lake_secrets(stack: Stack) -> dict[str, str]:
    """The secret key of each client of the lake."""
    return {user: stack.secrets[f"lake-{user}"] for user in LAKE_USERS}


def wanted(access: Access, bucket: str) -> list[str]:
    """What the table of users allows in a bucket."""
    allowed = (
        EVERYTHING
        if bucket in access.writes
        else EVERYTHING[:3]
        if bucket in access.appends
        else EVERYTHING[:2]
        if bucket in access.reads
        else []
    )
    return list(allowed)


@pytest.fixture(scope="module", autouse=True)
def seeds(platform: Stack) -> None:
    """An object in every bucket, so that a refused read is a refusal and not an absence."""
    root = s3_client(
        f"http://127.0.0.1:{platform.port('minio')}", "lake-root", platform.secrets["minio-root"]
    )
    for bucket in BUCKETS:
        root.put_object(Bucket=bucket, Key=SEED, Body=b"seed")


def test_each_lake_user_may_do_what_the_table_says_and_nothing_else(place: Place) -> None:
    """Least privilege: in every bucket exactly the table's access; none for anonymous clients."""
    users = {**lake_secrets(place.stack), "": ""}
    found = place.run("s3", endpoint=f"http://{place.joined('minio')}", users=users, buckets=list(BUCKETS))
    table = {**LAKE_USERS, "": Access()}
    assert found == {
        user: {bucket: wanted(access, bucket) for bucket in BUCKETS} for user, access in table.items()
    }


def test_no_lake_user_administers_the_store(place: Place) -> None:
    """A client can neither make a bucket nor open one to the world."""
    found = place.run(
        "s3_beyond",
        endpoint=f"http://{place.joined('minio')}",
        users=lake_secrets(place.stack),
        bucket="bronze",
    )
    assert found == {user: [] for user in LAKE_USERS}


@databases
def test_each_role_enters_its_own_database_alone(place: Place, spec: DatabaseSpec) -> None:
    """A stolen password opens one database: no other of its server, none of another server, and only as it is."""
    everywhere = [*(other.name for other in DATABASES), "postgres", "template1"]
    password = place.stack.secrets[f"{spec.name}-database"]
    for server in {other.server for other in DATABASES}:
        host, port = place.address(server)
        found = place.run(
            "sql", host=host, port=port, user=spec.name, password=password, databases=everywhere
        )
        assert [name for name, answer in found.items() if answer == "open"] == (
            [spec.name] if server == spec.server else []
        )
    host, port = place.address(spec.server)
    wrong = place.run(
        "sql", host=host, port=port, user=spec.name, password=f"{password}x", databases=[spec.name]
    )
    assert "password authentication failed" in wrong[spec.name]


@databases
def test_each_role_is_an_owner_and_no_superuser(place: Place, spec: DatabaseSpec) -> None:
    """A service owns its database, can work in it, and has no other right; its connections are bounded."""
    host, port = place.address(spec.server)
    password = place.stack.secrets[f"{spec.name}-database"]
    assert place.run("role", host=host, port=port, user=spec.name, password=password, database=spec.name) == {
        "superuser": False,
        "creates databases": False,
        "creates roles": False,
        "replicates": False,
        "connections": spec.connections,
        "owner": spec.name,
        "encoding": "UTF8",
    }


@pytest.mark.parametrize("topic", [spec.name for spec in TOPICS])
def test_records_go_through_kafka_on_the_host(platform: Stack, topic: str) -> None:
    """Every topic takes a record with acks=all and gives it back through the host's listener."""
    text = secrets.token_hex(8)
    assert (
        Place(platform, None).run(
            "kafka_round_trip", bootstrap=f"127.0.0.1:{platform.port('kafka')}", topic=topic, text=text
        )
        == text
    )


def test_records_go_through_kafka_on_the_network(platform: Stack, client_image: str) -> None:
    """A client on the network is sent to an address that it can reach, not to the host's."""
    inside, text = Place(platform, client_image), secrets.token_hex(8)
    assert (
        inside.run("kafka_round_trip", bootstrap=inside.joined("kafka"), topic="clinical-alerts", text=text)
        == text
    )


def test_a_topic_that_nobody_declared_is_not_made(place: Place) -> None:
    """A typing error in a topic's name is an error, not a new topic."""
    found = place.run("kafka_undeclared", bootstrap=place.joined("kafka"), topic="patient-vitalz")
    assert found["error"]
    assert "patient-vitalz" not in found["topics"]


def test_redis_wants_its_password(place: Place) -> None:
    """With the password Redis works; without it, or with a wrong one, it does not."""
    host, port = place.address("redis")
    assert place.run("redis", host=host, port=port, password=place.stack.secrets["redis"]) == "ok"
    # The words of the two client versions differ; the server's own codes do not always reach the caller.
    refused = ("Authentication", "NOAUTH", "WRONGPASS")
    for password in (None, "x" * 32):
        answer = place.run("redis", host=host, port=port, password=password)
        assert any(word in answer for word in refused), answer


def test_zookeeper_is_ok(place: Place) -> None:
    """ZooKeeper says that it serves."""
    host, port = place.address("zookeeper")
    assert place.run("zookeeper", host=host, port=port) == "imok"


def status(url: str, token: str = "") -> int:
    """The HTTP status of an address, asked with or without a token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_redis_page_wants_a_login(platform: Stack) -> None:
    """The page's frame is for everybody; what it shows of the cache comes with a token, and that with the password alone."""
    url = platform.outputs()["urls"]["redis-insight"]
    for path in ("connections", "apiv2/server/info"):
        assert status(f"{url}/{path}") == 401
        assert status(f"{url}/{path}", "no-token") == 401
    assert redis_token(platform, "wrong") == ""
    assert status(f"{url}/connections", redis_token(platform, platform.secrets["redis-insight"])) == 200


def test_the_store_console_wants_a_login(platform: Stack) -> None:
    """The object store's page shows nothing to whoever has not logged in."""
    url = platform.outputs()["urls"]["minio-console"]
    assert status(f"{url}/api/v1/session") in (401, 403)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    body = json.dumps({"accessKey": "lake-root", "secretKey": platform.secrets["minio-root"]}).encode()
    with opener.open(
        urllib.request.Request(f"{url}/api/v1/login", body, {"Content-Type": "application/json"})
    ) as answer:
        assert answer.status == 204
    with opener.open(f"{url}/api/v1/session") as answer:
        assert answer.status == 200
