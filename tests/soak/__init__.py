"""Random faults on real processes: `python -m tests.soak --seed N --minutes M`."""
