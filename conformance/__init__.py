"""Does a bulk-order HTTP API accept and reject what its documentation says?"""

__version__ = "0.1.0"
