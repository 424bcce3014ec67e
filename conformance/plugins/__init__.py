"""The parts of the pytest plugin, one concern a module."""
