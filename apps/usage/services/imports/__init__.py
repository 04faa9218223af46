"""Files of events: read piece by piece, taken in as batches are, with the same verdicts."""
