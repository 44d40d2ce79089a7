"""The daily backup: dumps of the databases, the list of every object, and proof that the newest can be restored."""
