"""Plugins of Airflow: its folder of plugins."""
