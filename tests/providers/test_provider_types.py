"""Every resource type through its life, against real servers, with the plugins that `toolchain install` installed."""

from __future__ import annotations

import io
from typing import Any

import pulumi
import pulumi_minio
import pulumi_postgresql
import pytest
from pulumi import automation as auto

from tests.providers.cases import CASES, READ, Case, prepare
from tests.providers.servers import PASSWORD, Declaration, OneResource, Server

SERVERS = pytest.mark.parametrize("server", ["minio", "postgres"], indirect=True)
SIMPLE: dict[str, tuple[Any, dict[str, Any]]] = {
    "minio": (pulumi_minio.S3Bucket, {"bucket": "simple"}), "postgres": (pulumi_postgresql.Role, {"name": "simple"})}
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "minio": (pulumi_minio.S3Bucket, {"bucket": "simple", "quota": 5}, "quota"),
    "postgres": (pulumi_postgresql.Database, {"name": "simple", "tablespace_name": "x"}, "tablespaceName")}
THERE: dict[str, tuple[Any, dict[str, Any]]] = {
    "minio": (pulumi_minio.S3Bucket, {"bucket": "home"}), "postgres": (pulumi_postgresql.Role, {"name": "joe"})}


def only(done: dict[str, str], cases: list[Case], *operations: str) -> None:
    """Each of these resources, and no other, had one of the operations; the others are the same."""
    names = {case.name for case in cases}
    wrong = {name: operation for name, operation in done.items() if (operation in operations) is not (name in names)}
    assert not wrong and names <= set(done), wrong


def declared(cases: list[Case], **changes: str) -> list[Declaration]:
    """Declarations of the cases; `also` names inputs of the cases to add."""
    return [(case.name, case.kind, {**case.inputs, **(getattr(case, changes["also"]) if changes else {})}, None) for case in cases]


@SERVERS
def test_life_of_every_type(one: OneResource, server: Server) -> None:
    """Create, no change, removal behind the plugin's back, drift, update in place, replacement, deletion."""
    prepare(server)
    cases = [case for case in CASES if case.server == server.kind]
    one.declare(*declared(cases))
    only(one.up(), cases, "create")
    for case in cases:
        assert case.seen(server) is not None, f"{case.name}: the server has it not"
    one.up(expect_no_changes=True)
    one.stack.refresh()
    only(one.up(expect_no_changes=True), cases, "same")

    for case in cases:
        case.remove(server)
    one.stack.refresh()
    only(one.up(), cases, "create", "update")
    for case in cases:
        assert case.seen(server) is not None, f"{case.name}: a refresh did not notice that it was gone"

    spoilt = [case for case in cases if case.spoil]
    for case in spoilt:
        assert case.spoil is not None
        case.spoil(server)
    one.stack.refresh()
    only(one.up(), spoilt, "create", "update")

    one.declare(*declared(cases, also="update"))
    only(one.up(), [case for case in cases if case.update], "update")
    for case in [case for case in cases if case.updated is not None]:
        assert str(case.updated).strip("[]{}") in str(case.seen(server)), case.name
    one.up(expect_no_changes=True)

    one.declare(*declared(cases))
    one.up()
    one.declare(*declared(cases, also="replace"))
    only(one.up(), [case for case in cases if case.replace], "replace")
    one.up(expect_no_changes=True)
    one.declare()
    only(one.up(), cases, "delete")
    for case in [case for case in cases if not case.leaves]:
        assert case.seen(server) in (None, []), f"{case.name}: the server still has it"


@SERVERS
def test_what_is_there_is_imported(one: OneResource, server: Server) -> None:
    """An import takes every type over as it is; deleting what is already gone is no error."""
    prepare(server)
    cases = [case for case in CASES if case.server == server.kind]
    one.declare(*declared(cases)).up()
    state = one.stack.export_stack()
    names = {case.name for case in cases}
    state.deployment["resources"] = [r for r in state.deployment["resources"] if r["urn"].rpartition("::")[2] not in names]
    one.stack.import_stack(state)
    one.declare(*[(case.name, case.kind, case.readable, case.identity) for case in cases])
    only(one.up(), cases, "import", "same", "update")  # a text that means the same, an owner that nobody named
    one.declare(*[(case.name, case.kind, case.readable, None) for case in cases])
    one.up(expect_no_changes=True)
    for case in cases:
        case.remove(server)
    one.declare()
    only(one.up(), cases, "delete")


@SERVERS
def test_an_unreachable_server_is_named(one: OneResource, server: Server) -> None:
    """Preview needs no server; an update says which one cannot be reached and what to look at."""
    kind, inputs = SIMPLE[server.kind]
    one.declare(("thing", kind, inputs, None), port=1)
    one.stack.preview()
    text = one.fails()
    assert "cannot reach 127.0.0.1:1: connection refused; is the infrastructure layer running?" in text
    assert "Traceback" not in text and PASSWORD not in text


@SERVERS
def test_a_wrong_password_is_said_and_not_shown(one: OneResource, server: Server) -> None:
    """The message says that the server refused; the password stands nowhere."""
    kind, inputs = SIMPLE[server.kind]
    text = one.declare(("thing", kind, inputs, None), password="wrongcanary0123").fails()
    assert "refused the" in text and "password" in text and "wrongcanary0123" not in text


@SERVERS
def test_an_input_that_is_not_implemented_is_refused(one: OneResource, server: Server) -> None:
    """Nothing is ignored in silence."""
    kind, inputs, name = REFUSED[server.kind]
    text = one.declare(("thing", kind, inputs, None)).fails()
    assert name in text and "does not implement it" in text


@SERVERS
def test_what_exists_already_is_not_taken_over_by_itself(one: OneResource, server: Server) -> None:
    """The message says how to import it."""
    prepare(server)
    kind, inputs = THERE[server.kind]
    text = one.declare(("thing", kind, inputs, None)).fails()
    assert "exists already" in text and "pulumi import" in text


@SERVERS
def test_secrets_stay_secret_in_the_state(one: OneResource, server: Server) -> None:
    """Neither the provider's password nor a user's is in the exported state."""
    kind: Any = pulumi_minio.IamUser if server.kind == "minio" else pulumi_postgresql.Role

    def secret_user(name: str, opts: pulumi.ResourceOptions) -> None:
        secret = {"secret" if server.kind == "minio" else "password": pulumi.Output.secret("canarysecret012345")}
        kind(name, name="carl", opts=opts, **secret)
    one.declare(("thing", secret_user, {}, None))
    one.up()
    for file in [file for file in one.state.rglob("*") if file.is_file()]:
        assert "canarysecret012345" not in file.read_text() and PASSWORD not in file.read_text(), file
    assert any("carl" in file.read_text() for file in one.state.rglob("*.json")), "the state was looked at"
    one.declare()
    one.up()


@pytest.mark.parametrize("server", ["minio"], indirect=True)
def test_a_bucket_with_objects_stays_unless_force_destroy_says_so(one: OneResource, server: Server) -> None:
    """Data is never removed by the way."""
    one.declare(("thing", pulumi_minio.S3Bucket, {"bucket": "full"}, None)).up()
    server.s3.put_object("full", "a", io.BytesIO(b"x"), 1)
    text = one.declare().fails()
    assert "the bucket full still has objects" in text and server.s3.bucket_exists("full")
    one.declare(("thing", pulumi_minio.S3Bucket, {"bucket": "full", "force_destroy": True}, None)).up()
    one.declare().up()
    assert not server.s3.bucket_exists("full")


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
def test_a_role_that_owns_something_stays(one: OneResource, server: Server) -> None:
    """The message says what it owns."""
    prepare(server)
    one.declare(("thing", pulumi_postgresql.Role, {"name": "owner"}, None)).up()
    server.sql("ALTER TABLE s.t OWNER TO owner", "home")
    text = one.declare().fails()
    assert "the role owner still owns" in text
    server.sql("DROP TABLE s.t", "home")
    one.up()


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
def test_many_grants_on_one_database_at_once(one: OneResource, server: Server) -> None:
    """PostgreSQL refuses two changes of one object's privileges at the same time; the plugin makes them one after another."""
    prepare(server)

    def many(name: str, opts: pulumi.ResourceOptions) -> None:
        for index in range(12):
            role = pulumi_postgresql.Role(f"{name}-{index}", name=f"many{index}", opts=opts)
            pulumi_postgresql.Grant(f"{name}-grant-{index}", database="home", role=role.name, object_type="database",
                                    privileges=["CONNECT"], opts=opts)
    assert list(one.declare(("many", many, {}, None)).up().values()) == ["create"] * 24
    assert list(one.declare().up().values()) == ["delete"] * 24


@SERVERS
def test_a_preview_shows_what_is_not_known_yet(one: OneResource, server: Server) -> None:
    """Inputs that another resource will give do not stop a preview."""
    def chain(name: str, opts: pulumi.ResourceOptions) -> None:
        if server.kind == "minio":
            first = pulumi_minio.IamUser(name, name="chain", opts=opts)
            pulumi_minio.IamPolicy("second", name=first.status.apply(lambda status: f"p-{status}"),
                                   policy=READ, opts=opts)
        else:
            first_role = pulumi_postgresql.Role(name, name="chain", opts=opts)
            pulumi_postgresql.Grant("second", database="postgres", role=first_role.id, object_type="database",
                                    privileges=["CONNECT"], opts=opts)
    one.declare(("first", chain, {}, None))
    assert one.stack.preview().change_summary[auto.OpType.CREATE] >= 3
    assert one.up() == {"first": "create", "second": "create"}
    one.declare().up()
