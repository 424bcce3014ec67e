"""The reference endpoint as a mock: it remembers what it was sent, names what a client did wrong, and fails on request."""
