"""What a new platform's Airflow is given: tables, roles, users, connections, pools, variables."""
