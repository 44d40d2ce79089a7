"""Databases, and the schemas and extensions inside them."""

from __future__ import annotations

from client import NAME, Server
from lib.kinds import BOOLEAN, INTEGER, STRING, Kind, Property, Refused, Values
from psycopg import errors, sql


class Database(Kind):
    """A database and its owner."""

    token = "postgresql:index/database:Database"
    inputs = {"name": Property(type=STRING, replaces=True), "owner": Property(type=STRING),
              "encoding": Property(type=STRING, default="UTF8", replaces=True),
              "connectionLimit": Property(type=INTEGER, default=-1)}
    named_by = "name"

    def identity(self, inputs: Values) -> str:
        """The database's name."""
        return str(inputs["name"])

    def create(self, client: Server, inputs: Values) -> Values:
        """Makes the database; one that exists belongs to somebody else."""
        name = inputs["name"]
        query: sql.Composable = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} CONNECTION LIMIT {}").format(
            NAME(name), inputs.get("encoding", "UTF8"), inputs.get("connectionLimit", -1))  # type: ignore[arg-type]
        if inputs.get("owner"):
            query += sql.SQL(" OWNER {}").format(NAME(inputs["owner"]))
        try:
            client.run(query)
        except errors.DuplicateDatabase:
            raise Refused(f"the database {name} exists already; take it over with `pulumi import {self.token} NAME {name}`, "
                          "or drop it") from None
        return {}

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """The database's owner, encoding and limit."""
        rows = client.run("SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datconnlimit"
                          " FROM pg_database WHERE datname = %s", [identity])
        return {"name": identity, "owner": rows[0]["owner"], "encoding": rows[0]["encoding"],
                "connectionLimit": rows[0]["datconnlimit"]} if rows else None

    def update(self, client: Server, identity: str, old: Values, new: Values) -> Values:
        """Sets owner and limit."""
        if new.get("owner"):
            client.run(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(NAME(identity), NAME(new["owner"])))
        client.run(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
            NAME(identity), new.get("connectionLimit", -1)))  # type: ignore[arg-type]
        return {}

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Drops the database and ends the sessions in it."""
        client.run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(NAME(identity)))


class _Inside(Kind):
    """Something inside a database, with the id `database.name`."""

    def identity(self, inputs: Values) -> str:
        """`database.name`."""
        return f"{inputs['database']}.{inputs['name']}"


class Schema(_Inside):
    """A schema and its owner."""

    token = "postgresql:index/schema:Schema"
    inputs = {"name": Property(type=STRING, replaces=True), "database": Property(type=STRING, required=True, replaces=True),
              "owner": Property(type=STRING), "dropCascade": Property(type=BOOLEAN, default=False)}
    named_by = "name"

    def create(self, client: Server, inputs: Values) -> Values:
        """Makes the schema; PostgreSQL's own `public` is there already."""
        client.run(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(NAME(inputs["name"])), database=inputs["database"])
        return self.update(client, "", {}, inputs)

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """The schema's owner."""
        database, _, name = identity.partition(".")
        rows = client.look("SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = %s", [name], database)
        return {"name": name, "database": database, "owner": rows[0]["owner"]} if rows else None

    def update(self, client: Server, identity: str, old: Values, new: Values) -> Values:
        """Sets the owner."""
        if new.get("owner"):
            client.run(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(NAME(new["name"]), NAME(new["owner"])),
                       database=new["database"])
        return {}

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Drops the schema, with what is in it only if dropCascade says so."""
        database, _, name = identity.partition(".")
        end = " CASCADE" if inputs.get("dropCascade") else ""
        drop_inside(client, sql.SQL("DROP SCHEMA IF EXISTS {}" + end).format(NAME(name)), database)


class Extension(_Inside):
    """An extension of a database."""

    token = "postgresql:index/extension:Extension"
    inputs = {"name": Property(type=STRING, replaces=True), "database": Property(type=STRING, required=True, replaces=True),
              "schema": Property(type=STRING, replaces=True), "dropCascade": Property(type=BOOLEAN, default=False)}
    outputs = {"version": STRING}
    named_by = "name"

    def create(self, client: Server, inputs: Values) -> Values:
        """Installs the extension."""
        query: sql.Composable = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(NAME(inputs["name"]))
        if inputs.get("schema"):
            query += sql.SQL(" SCHEMA {}").format(NAME(inputs["schema"]))
        client.run(query, database=inputs["database"])
        return {"version": (self.read(client, self.identity(inputs), inputs) or {}).get("version")}

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """The installed version and where."""
        database, _, name = identity.partition(".")
        rows = client.look("SELECT extversion, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
                           " WHERE extname = %s", [name], database)
        if not rows:
            return None
        # Left out, PostgreSQL chooses public: then it is no input.
        schema = {"schema": rows[0]["nspname"]} if "schema" in known or rows[0]["nspname"] != "public" else {}
        return {"name": name, "database": database, "version": rows[0]["extversion"], **schema}

    def update(self, client: Server, identity: str, old: Values, new: Values) -> Values:
        """Only dropCascade can change in place, and it is Pulumi's own."""
        return {}

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Removes the extension, with what uses it only if dropCascade says so."""
        database, _, name = identity.partition(".")
        end = " CASCADE" if inputs.get("dropCascade") else ""
        drop_inside(client, sql.SQL("DROP EXTENSION IF EXISTS {}" + end).format(NAME(name)), database)


def drop_inside(client: Server, query: sql.Composable, database: str) -> None:
    """Drops something inside a database; that the database is gone is no error, that it is in use is."""
    if not client.run("SELECT 1 FROM pg_database WHERE datname = %s", [database]):
        return
    try:
        client.run(query, database=database)
    except errors.DependentObjectsStillExist as error:
        raise Refused(f"{error.diag.message_primary}: {error.diag.message_detail}; drop these first, or set dropCascade") from None


DATABASE_KINDS: tuple[Kind, ...] = (Database(), Schema(), Extension())
