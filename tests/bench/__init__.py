"""Measurements, not tests: `make bench` prints what this machine does today, beside a limit taken in the same run."""
