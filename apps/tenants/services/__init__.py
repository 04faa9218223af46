"""The verbs of tenancy."""
