"""Exit status 0 while the Celery worker of this container answers: a process that is there may still have lost its broker."""

import socket
import sys
from pathlib import Path

from celery import Celery

broker = Celery(broker=Path("/run/secrets/airflow-broker").read_text())
sys.exit(0 if broker.control.ping(destination=[f"celery@{socket.gethostname()}"], timeout=5) else 1)
