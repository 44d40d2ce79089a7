"""The jobs as processes: each module reads its parameters and does one kind of job."""
