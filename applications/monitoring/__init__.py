"""Watching data and models: checks of the lake's tables, drift, predictions, and the reports that say what was found."""
