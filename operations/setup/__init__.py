"""Set-up of a machine and a stack, in one command that can be repeated at any time."""
