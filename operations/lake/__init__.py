"""What is done with the lake's data from outside: list, sync with a directory, back up, restore.

All of it works as the S3 user storage-operator, streams (memory does not grow with the data), goes on where it was
interrupted when it is called again, and raises OperationError with what is wrong and what to do.
"""

from operations.lake.backing_up import backup
from operations.lake.databases import database_containers
from operations.lake.listing import BucketInfo, buckets
from operations.lake.manifest import Manifest
from operations.lake.offsets import forget_offsets
from operations.lake.progress import Progress, Step
from operations.lake.restoring import Restored, restore
from operations.lake.store import connect
from operations.lake.syncing import Direction, Synced, sync
from operations.lake.vaults import BackupsBucket, Directory, Vault

__all__ = ["BackupsBucket", "BucketInfo", "Direction", "Directory", "Manifest", "Progress", "Restored", "Step", "Synced", "Vault",
           "backup", "buckets", "connect", "database_containers", "forget_offsets", "restore", "sync"]
