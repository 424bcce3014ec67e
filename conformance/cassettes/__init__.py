"""Recordings: what was exchanged in a run, kept in vcrpy's format, and judged again without a network."""
