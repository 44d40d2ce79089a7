"""What a backup cannot do."""


class BackupError(Exception):
    """A backup that cannot be made, read or restored, in words for whoever runs the platform."""
