"""The verbs of access."""
