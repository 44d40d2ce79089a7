"""The MinIO server: its S3 interface and its administration."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import urllib3
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, S3Error

SECONDS = 10
# A server that is just starting refuses for a moment: four tries over three seconds, then the error.
RETRIES = urllib3.Retry(total=4, connect=4, read=1, backoff_factor=0.4, status_forcelist=[502, 503, 504])
MISSING = ("NoSuch", "404", "does not exist")


class Server:
    """Clients of one server. `s3` and `admin` may be used from many threads."""

    def __init__(self, endpoint: str, user: str, password: str, region: str, secure: bool) -> None:
        self.endpoint = endpoint
        # MinIO reads, changes and writes all settings of a bucket at once: of two changes at a time one can be lost.
        self.settings = threading.Lock()
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(SECONDS), retries=RETRIES, maxsize=16)
        self.s3 = Minio(endpoint, access_key=user, secret_key=password, region=region, secure=secure, http_client=pool)
        self.admin = MinioAdmin(endpoint=endpoint, credentials=StaticProvider(user, password), region=region, secure=secure,
                                http_client=pool)


def connect(config: dict[str, str]) -> Server:
    """The server that the provider's settings name; nothing is called yet."""
    return Server(config.get("minioServer", ""), config.get("minioUser", ""), config.get("minioPassword", ""),
                  config.get("minioRegion", "us-east-1"), config.get("minioSsl") == "true")


def found(call: Callable[..., Any], *arguments: Any) -> Any:
    """The call's answer, or None when what it asks about does not exist."""
    try:
        return call(*arguments)
    except S3Error as error:
        if str(error.code).startswith("NoSuch"):
            return None
        raise
    except MinioAdminException as error:
        if code_of(error).startswith(MISSING) or "NoSuch" in code_of(error):
            return None
        raise


def code_of(error: MinioAdminException) -> str:
    """The error's code; its body is JSON where the server knows what is wrong."""
    try:
        return str(json.loads(error._body)["Code"])
    except (ValueError, KeyError, TypeError):
        return str(error._code)


def explain(error: Exception) -> str:
    """What went wrong and what to do."""
    if isinstance(error, urllib3.exceptions.HTTPError):
        pool = getattr(error, "pool", None)
        where = f"{pool.host}:{pool.port}" if pool is not None else "the server"
        cause = str(getattr(error, "reason", None) or error)
        why = "connection refused" if "refused" in cause else "no answer in time" if "timed out" in cause else cause
        return f"cannot reach {where}: {why}; is the infrastructure layer running? (./pipeline infrastructure status)"
    code = error.code if isinstance(error, S3Error) else code_of(error) if isinstance(error, MinioAdminException) else ""
    if code in ("SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied", "XMinioAdminInvalidAccessKey"):
        return (f"the server refused the user or its password ({code}); does the provider's password match the one that "
                "the server was started with?")
    if isinstance(error, S3Error):
        return f"{error.code}: {error.message}" + (f" (bucket {error.bucket_name})" if error.bucket_name else "")
    if isinstance(error, MinioAdminException):
        return f"{code}: {error._body}"
    return str(error) or repr(error)
