"""spark-batch: an endpoint that runs Spark jobs on the lake, one at a time: backfill, gold, compact."""
