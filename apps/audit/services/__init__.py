"""The one verb of audit: `record`."""
