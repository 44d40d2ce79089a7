"""The bronze bucket: objects are added under their names, never replaced and never removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from applications.ingestion.consumer.objects import Name

CONNECT_SECONDS, READ_SECONDS = 3, 15
THERE_ALREADY = 412


class StoreError(Exception):
    """The object store did not confirm, or did not answer."""


class Bronze:
    """One bucket. Its methods may be called by several threads; they raise StoreError."""

    def __init__(self, endpoint: str, region: str, user: str, secret: str, bucket: str, connections: int) -> None:
        self._bucket = bucket
        # Tries are ours to count and to space out: a client's own ones would hold a thread for minutes.
        config = Config(s3={"addressing_style": "path"}, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS,
                        retries={"total_max_attempts": 1}, max_pool_connections=connections)
        self._client: Any = boto3.client("s3", endpoint_url=endpoint, region_name=region, aws_access_key_id=user,
                                         aws_secret_access_key=secret, config=config)

    def put(self, name: Name, content: bytes) -> bool:
        """Stores an object; False if one of that name is there already, which then has the same records."""
        try:
            self._client.put_object(Bucket=self._bucket, Key=name.key, Body=content, IfNoneMatch="*",
                                    ContentType="application/vnd.apache.parquet")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == THERE_ALREADY:
                return False
            raise StoreError(f"{self._bucket}: {error}") from None
        except BotoCoreError as error:
            raise StoreError(f"{self._bucket}: {error}") from None
        return True

    def ends(self, topic: str, epoch: str) -> Mapping[int, int]:
        """Behind the last stored record of each partition of a topic: the offset of the first that is not stored.

        Lists every object of the topic: for when Kafka's own note is gone, and for a first start.
        """
        found: dict[int, int] = {}
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{topic}/"):
                for name in (Name.parse(entry["Key"]) for entry in page.get("Contents", [])):
                    if name is not None and name.epoch == epoch:
                        found[name.partition] = max(found.get(name.partition, 0), name.last + 1)
        except (ClientError, BotoCoreError) as error:
            raise StoreError(f"{self._bucket}: {error}") from None
        return found
