"""What a client did otherwise than the documentation has it, by requirement."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from conformance.inspection.objections import Objection

if TYPE_CHECKING:
    from conformance.model import JsonObject


@dataclass(frozen=True, slots=True)
class Violation(Objection):
    """
    One thing that a client did wrong.

    ``pointer`` is a JSON Pointer (RFC 6901) into the body, or empty where it is not about a member of it; ``order``
    counts the orders of the batch from 0; ``request`` counts the requests from 1.
    """

    request: int = 0

    @classmethod
    def of(cls, objection: Objection, request: int) -> Violation:
        """An objection to that request."""
        return cls(**asdict(objection), request=request)

    def __str__(self) -> str:
        place = f" {self.pointer}" if self.pointer else ""
        order = "" if self.order is None else f", order {self.order}"
        text = (
            f"{self.requirement} ({self.level}){place}: "
            f"expected {self.expected}, got {self.got} (request {self.request}{order})"
        )
        # One line each, whatever a client sent.
        return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)

    def as_json(self) -> JsonObject:
        """A line of the file of violations, and an entry of the control API."""
        return {
            "requirement": self.requirement,
            "level": self.level,
            "title": self.title,
            "source": self.source,
            "pointer": self.pointer,
            "order": self.order,
            "expected": self.expected,
            "got": self.got,
            "request": self.request,
        }


class Violations(list[Violation]):
    """Violations in the order they were noticed. As text they are a line each."""

    @property
    def requirements(self) -> list[str]:
        """Their requirements, each once."""
        return list(dict.fromkeys(each.requirement for each in self))

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def __repr__(self) -> str:
        """One line, since pytest makes one of it: how many there are and then which ones."""
        if not self:
            return "no violations"
        count = "1 violation" if len(self) == 1 else f"{len(self)} violations"
        return f"<{count}: {' | '.join(map(str, self))}>"
