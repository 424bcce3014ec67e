"""What the documentation has against a request: every objection to its bytes, its schema, its values and its headers."""

from conformance.inspection.inspector import Inspector
from conformance.inspection.objections import Objection

__all__ = ["Inspector", "Objection"]
