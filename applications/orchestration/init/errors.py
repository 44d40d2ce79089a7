"""The one error of this package."""


class InitError(Exception):
    """Airflow's database cannot be prepared; the message says what is wrong, where, and what to do. It holds no secret."""
