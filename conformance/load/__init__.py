"""Load: does the contract hold at the volume it is sold for? Locust drives, and the judge of every other run judges."""
