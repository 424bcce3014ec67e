"""The reference endpoint: an API that behaves as its pack says, and breaks one rule on request."""
