"""Serves the resource types of the `pulumi-minio` SDK that the platform uses."""

from buckets import BUCKET_KINDS
from client import connect, explain
from lib.server import Provider, serve
from users import USER_KINDS

VERSION = "0.17.1"

if __name__ == "__main__":
    serve(Provider("minio", VERSION, [*BUCKET_KINDS, *USER_KINDS], connect, explain))
