"""Features: one definition and one computation of them, for the table that models learn from and for the store that they are
served from.
"""
