"""The verbs of the demo."""
