"""The management command and the set-up."""
