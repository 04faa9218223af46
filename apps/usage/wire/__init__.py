"""What integrators send to POST /events and what they are answered: bytes in, events out; verdicts in, bytes out."""
