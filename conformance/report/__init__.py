"""The report of a run: what a third party reads and checks."""
