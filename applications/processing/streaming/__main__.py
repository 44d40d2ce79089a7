"""Starts spark-streaming: `python3 -m applications.processing.streaming`."""

from __future__ import annotations

import sys

from applications.processing.session import session
from applications.processing.streaming.queries import queries
from applications.processing.streaming.settings import StreamingSettings
from applications.processing.tables import ensure_all
from applications.runtime import logs, settings
from applications.runtime.logs import log
from applications.runtime.monitor import Monitor
from applications.runtime.stopping import Stop

SETTINGS = {
    # Each micro-batch leaves a small file, and each merge reads those of its hours: now and then they are joined.
    "spark.databricks.delta.autoCompact.enabled": "true", "spark.databricks.delta.autoCompact.minNumFiles": "20"}
TEND_SECONDS = 2.0
STOP_SECONDS = 5.0


def main() -> int:
    """Runs until it is asked to stop; ends with status 1 when Spark ended first, so that it is started anew."""
    config = settings.load(StreamingSettings)
    logs.configure(config)
    stop = Stop()
    spark = session("streaming", config.spark_master, config.service, config.cores, more=SETTINGS)
    ensure_all(spark)
    running = queries(spark, config)
    monitor = Monitor(config.monitor_port, {query.topic: query.check for query in running})
    for query in running:
        query.tend()
    monitor.start()
    while not stop.wait(TEND_SECONDS):
        if spark.sparkContext._jsc.sc().isStopped():
            log.error("spark-ended", what="the cluster's master removed this application, or its driver failed")
            return 1
        for query in running:
            query.tend()
    log.info("stopping")
    for query in running:
        query.stop(STOP_SECONDS)
    monitor.stop()
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
