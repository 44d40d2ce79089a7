"""Spark sessions: a driver in this process, its executors on the cluster."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession


def session(application: str, master: str, host: str, cores: int, *, driver_mb: int = 1024,
            executor_mb: int = 1024, more: Mapping[str, str] | None = None) -> SparkSession:
    """A session of `cores` on the cluster at `master`; `host` is the name by which executors find this driver; `more` are
    settings of this application alone.

    Credentials, Delta and S3 settings come from spark-defaults.conf in SPARK_CONF_DIR.
    """
    settings = {
        "spark.cores.max": cores, "spark.executor.cores": cores, "spark.executor.memory": f"{executor_mb}m",
        "spark.driver.memory": f"{driver_mb}m", "spark.driver.host": host, "spark.driver.bindAddress": "0.0.0.0",
        # A worker that comes back is asked again, however often it went.
        "spark.deploy.maxExecutorRetries": -1,
        "spark.ui.showConsoleProgress": "false", **(more or {})}
    builder = SparkSession.builder.appName(application).master(master)
    for key, value in settings.items():
        builder = builder.config(key, str(value))
    return builder.getOrCreate()
