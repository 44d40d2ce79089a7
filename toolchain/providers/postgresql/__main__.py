"""Serves the resource types of the `pulumi-postgresql` SDK that the platform uses."""

from client import connect, explain
from databases import DATABASE_KINDS
from grants import GRANT_KINDS
from lib.server import Provider, serve
from roles import ROLE_KINDS

VERSION = "3.18.2"

if __name__ == "__main__":
    serve(Provider("postgresql", VERSION, [*ROLE_KINDS, *DATABASE_KINDS, *GRANT_KINDS], connect, explain))
