"""Privileges of a role on a database, a schema, or the tables or sequences of a schema."""

from __future__ import annotations

from collections.abc import Iterator

from client import NAME, Server
from lib.kinds import BOOLEAN, STRING, STRINGS, Kind, Property, Values
from psycopg import sql

PRIVILEGES = {"database": {"CONNECT", "CREATE", "TEMPORARY"}, "schema": {"CREATE", "USAGE"},
              "table": {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"},
              "sequence": {"USAGE", "SELECT", "UPDATE"}}
EVERYBODY = "public"
# The privileges that one role has on each object of a kind; an object without a list has PostgreSQL's default one.
HELD = """
SELECT o.name, array_remove(array_agg(DISTINCT a.privilege_type), NULL) AS privileges,
  coalesce(bool_or(a.is_grantable), false) AS grantable
FROM ({objects}) o LEFT JOIN LATERAL aclexplode(coalesce(o.acl, acldefault(o.kind, o.owner))) a
  ON coalesce((SELECT rolname FROM pg_roles WHERE oid = a.grantee), 'public') = %s
GROUP BY o.name ORDER BY o.name"""
OBJECTS = {
    "database": "SELECT datname AS name, datacl AS acl, 'd'::\"char\" AS kind, datdba AS owner FROM pg_database"
                " WHERE datname = %s",
    "schema": "SELECT nspname AS name, nspacl AS acl, 'n'::\"char\" AS kind, nspowner AS owner FROM pg_namespace"
              " WHERE nspname = %s",
    "table": "SELECT relname AS name, relacl AS acl, 'r'::\"char\" AS kind, relowner AS owner FROM pg_class c"
             " JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname = %s",
    "sequence": "SELECT relname AS name, relacl AS acl, 's'::\"char\" AS kind, relowner AS owner FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'S' AND nspname = %s"}


class Grant(Kind):
    """All that a role may do with something: privileges that are not listed are taken away.

    The id is role/database/schema/type/objects; a role `public` is everybody.
    """

    token = "postgresql:index/grant:Grant"
    inputs = {"database": Property(type=STRING, required=True, replaces=True),
              "role": Property(type=STRING, required=True, replaces=True),
              "schema": Property(type=STRING, replaces=True),
              "objectType": Property(type=STRING, required=True, replaces=True),
              "objects": Property(type=STRINGS, replaces=True),
              "privileges": Property(type=STRINGS, required=True),
              "withGrantOption": Property(type=BOOLEAN, default=False)}

    def identity(self, inputs: Values) -> str:
        """`role/database/schema/type/object,object`."""
        objects = ",".join(inputs.get("objects") or [])
        return "/".join([inputs["role"], inputs["database"], inputs.get("schema") or "", inputs["objectType"], objects])

    def faults(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """A type or privilege that does not exist, or a schema that is missing."""
        kind = inputs.get("objectType")
        if kind is not None and kind not in PRIVILEGES:
            yield "objectType", f"{kind!r} is not implemented; it is one of {', '.join(PRIVILEGES)}"
        elif kind is not None:
            for privilege in inputs.get("privileges") or []:
                if privilege not in PRIVILEGES[kind]:
                    yield "privileges", f"{privilege!r} is no privilege of a {kind}: {', '.join(sorted(PRIVILEGES[kind]))}"
            if kind != "database" and not inputs.get("schema") and "schema" not in inputs:
                yield "schema", f"a grant on a {kind} needs it"

    def _target(self, inputs: Values) -> sql.Composable:
        kind = inputs["objectType"]
        if kind in ("database", "schema"):
            return sql.SQL(kind.upper() + " {}").format(NAME(inputs[kind]))
        if inputs.get("objects"):
            names = sql.SQL(", ").join(NAME(inputs["schema"], name) for name in inputs["objects"])
            return sql.SQL(kind.upper() + " {}").format(names)
        return sql.SQL(f"ALL {kind.upper()}S IN SCHEMA {{}}").format(NAME(inputs["schema"]))

    def _where(self, inputs: Values) -> str | None:
        """Where to run the statement: privileges on a whole database can be set from any, those inside it only there."""
        return None if inputs["objectType"] == "database" else str(inputs["database"])

    def _role(self, inputs: Values) -> sql.Composable:
        return sql.SQL("PUBLIC") if inputs["role"] == EVERYBODY else NAME(inputs["role"])

    def create(self, client: Server, inputs: Values) -> Values:
        """Takes everything away and gives what is listed, in one transaction."""
        target, role = self._target(inputs), self._role(inputs)
        statements: list[sql.Composable] = [sql.SQL("REVOKE ALL ON {} FROM {}").format(target, role)]
        if inputs["privileges"]:
            end = " WITH GRANT OPTION" if inputs.get("withGrantOption") else ""
            listed = sql.SQL(", ".join(sorted(inputs["privileges"])))  # words of PRIVILEGES: checked
            statements.append(sql.SQL("GRANT {} ON {} TO {}" + end).format(listed, target, role))
        with client.privileges:
            client.run(sql.SQL("; ").join(statements), database=self._where(inputs))
        return {}

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """The privileges that the role has on every one of the objects; None when it should have some and has none."""
        role, database, schema, kind, objects = identity.split("/", 4)
        where = {"database": database}.get(kind, schema)
        query = HELD.format(objects=OBJECTS[kind])
        rows = client.run(query, [where, role]) if kind == "database" else client.look(query, [where, role], database)
        named = [name for name in objects.split(",") if name]
        held = [row for row in rows if not named or row["name"] in named]
        wanted = known.get("privileges")
        if not held:
            # No object: a grant on all of none is as it was; one on something that is gone is gone with it.
            if kind in ("database", "schema") or named or wanted is None:
                return None
            common = set(wanted)
        else:
            common = set.intersection(*(set(row["privileges"]) for row in held))
        if not common and wanted:
            return None
        return {"role": role, "database": database, "objectType": kind, **({"schema": schema} if schema else {}),
                **({"objects": named} if named else {}),
                "privileges": wanted if wanted is not None and set(wanted) == common else sorted(common),
                "withGrantOption": bool(held) and all(row["grantable"] for row in held) and bool(common)}

    def update(self, client: Server, identity: str, old: Values, new: Values) -> Values:
        """Sets the privileges anew."""
        return self.create(client, new)

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Takes all privileges away; of a database that is gone there is nothing to take."""
        if client.run("SELECT 1 FROM pg_database WHERE datname = %s", [inputs["database"]]):
            with client.privileges:
                client.run(sql.SQL("REVOKE ALL ON {} FROM {}").format(self._target(inputs), self._role(inputs)),
                           database=self._where(inputs))


GRANT_KINDS: tuple[Kind, ...] = (Grant(),)
