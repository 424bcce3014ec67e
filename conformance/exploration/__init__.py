"""Exploration: orders that a library makes up, reduced to changes that the documentation speaks of."""
