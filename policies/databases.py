"""Databases: owned by roles that can do no more than that, with bounded connections, closed to everybody else."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import PolicyResource, ResourceValidationArgs

from policies.rule import Rule, StackRule

ROLE, DATABASE = "postgresql:index/role:Role", "postgresql:index/database:Database"
GRANT = "postgresql:index/grant:Grant"
HARMLESS_ROLES = ("pg_monitor", "pg_read_all_stats", "pg_read_all_settings")
"""Roles of PostgreSQL's own that may measure a server and read no data."""
EVERYBODY = "public"


def role_rights(args: ResourceValidationArgs) -> Iterator[str]:
    """A service's role can do what its database needs."""
    for right in ("superuser", "createRole", "createDatabase", "replication", "bypassRowLevelSecurity"):
        if args.props.get(right):
            yield f"the role has {right}; a service owns its database and needs no more"


def role_memberships(args: ResourceValidationArgs) -> Iterator[str]:
    """A role gets no right through another role."""
    for other in args.props.get("roles") or []:
        if other not in HARMLESS_ROLES:
            yield f"the role is a member of {other}; grant what it needs by itself, or add {other} to HARMLESS_ROLES with a reason"


def role_connections(args: ResourceValidationArgs) -> Iterator[str]:
    """One service cannot use up a server's connections."""
    limit = args.props.get("connectionLimit")
    if limit is None or limit < 1:
        yield "the role's connections have no limit; set connectionLimit"


def grant_closed(args: ResourceValidationArgs) -> Iterator[str]:
    """Nothing is given to everybody."""
    if args.props.get("role") == EVERYBODY and args.props.get("privileges"):
        yield f"everybody gets {', '.join(map(str, args.props.get('privileges') or []))}; grant it to the role that needs it"


def owned(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """A database belongs to a role of this stack, which `role-bounded` looks at, not to an administrator."""
    roles = {resource.props.get("name") for resource in resources if resource.resource_type == ROLE}
    for database in resources:
        if database.resource_type == DATABASE and database.props.get("owner") not in roles:
            yield database, "no role of this stack owns the database; declare a Role for its service and make that the owner"


DATABASE_RULES = (
    Rule("role-bounded", "Roles of services are no superusers and have a connection limit.", (ROLE,),
         (role_rights, role_memberships, role_connections)),
    Rule("database-closed", "Nothing in a database is open to everybody.", (GRANT,), (grant_closed,)),
    StackRule("database-owned", "Every database is owned by a role of its service.", owned),
)
