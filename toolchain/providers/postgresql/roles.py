"""Roles."""

from __future__ import annotations

from client import NAME, Server
from lib.kinds import BOOLEAN, INTEGER, STRING, STRINGS, Kind, Property, Refused, Values
from psycopg import errors, sql

FLAGS = {
    "superuser": ("SUPERUSER", "rolsuper"), "createDatabase": ("CREATEDB", "rolcreatedb"),
    "createRole": ("CREATEROLE", "rolcreaterole"), "inherit": ("INHERIT", "rolinherit"), "login": ("LOGIN", "rolcanlogin"),
    "replication": ("REPLICATION", "rolreplication"), "bypassRowLevelSecurity": ("BYPASSRLS", "rolbypassrls")}


class Role(Kind):
    """A role, its attributes and the roles it belongs to."""

    token = "postgresql:index/role:Role"
    inputs = {"name": Property(type=STRING, replaces=True), "password": Property(type=STRING, secret=True),
              "connectionLimit": Property(type=INTEGER, default=-1), "roles": Property(type=STRINGS),
              **{key: Property(type=BOOLEAN, default=key == "inherit") for key in FLAGS}}
    named_by = "name"

    def identity(self, inputs: Values) -> str:
        """The role's name."""
        return str(inputs["name"])

    def _options(self, inputs: Values) -> sql.Composable:
        words = " ".join(word if inputs.get(key) else f"NO{word}" for key, (word, _) in FLAGS.items())
        parts = [sql.SQL(words), sql.SQL("CONNECTION LIMIT {}").format(inputs.get("connectionLimit", -1))]  # type: ignore[arg-type]
        if inputs.get("password"):
            parts.append(sql.SQL("PASSWORD {}").format(inputs["password"]))
        return sql.SQL(" ").join(parts)

    def create(self, client: Server, inputs: Values) -> Values:
        """Makes the role; one that exists belongs to somebody else."""
        try:
            client.run(sql.SQL("CREATE ROLE {} WITH {}").format(NAME(inputs["name"]), self._options(inputs)))
        except errors.DuplicateObject:
            name = inputs["name"]
            raise Refused(f"the role {name} exists already; take it over with `pulumi import {self.token} NAME {name}`, or "
                          "drop it") from None
        self._memberships(client, inputs["name"], [], inputs.get("roles") or [])
        return {}

    def _memberships(self, client: Server, name: str, old: list[str], new: list[str]) -> None:
        with client.privileges:
            for role in sorted(set(old) - set(new)):
                client.run(sql.SQL("REVOKE {} FROM {}").format(NAME(role), NAME(name)))
            for role in sorted(set(new) - set(old)):
                client.run(sql.SQL("GRANT {} TO {}").format(NAME(role), NAME(name)))

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """The role's attributes and memberships; its password cannot be read."""
        rows = client.run("SELECT * FROM pg_roles WHERE rolname = %s", [identity])
        if not rows:
            return None
        held = client.run("SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
                          " JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = %s ORDER BY 1", [identity])
        roles = [row["rolname"] for row in held]
        wanted = known.get("roles") or []
        return {"name": identity, "connectionLimit": rows[0]["rolconnlimit"],
                **({"roles": wanted if sorted(wanted) == roles else roles} if roles or wanted else {}),
                **{key: rows[0][column] for key, (_, column) in FLAGS.items()}}

    def update(self, client: Server, identity: str, old: Values, new: Values) -> Values:
        """Sets every attribute anew, and the memberships that changed."""
        client.run(sql.SQL("ALTER ROLE {} WITH {}").format(NAME(identity), self._options(new)))
        self._memberships(client, identity, old.get("roles") or [], new.get("roles") or [])
        return {}

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Drops the role; one that still owns something stays."""
        try:
            client.run(sql.SQL("DROP ROLE IF EXISTS {}").format(NAME(identity)))
        except errors.DependentObjectsStillExist as error:
            raise Refused(f"the role {identity} still owns or may use: {error.diag.message_detail}; drop these first, or give "
                          "them to another role (REASSIGN OWNED)") from None


ROLE_KINDS: tuple[Kind, ...] = (Role(),)
