"""Rules that no JSON Schema says: small pure functions, registered by name and named in a pack."""

from conformance.rules.registry import Breach, Context, Rule, breaches, check, rule

__all__ = ["Breach", "Context", "Rule", "breaches", "check", "rule"]
