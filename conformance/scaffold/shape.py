"""What a pack is about: an operation, its body and the orders in it, with notes for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.openapi.document import Document, Operation
    from conformance.openapi.files import Spot
    from conformance.scaffold.flatten import Node
    from conformance.scaffold.guess import Envelope


@dataclass(slots=True)
class Notes:
    """What was guessed, and what is left to do."""

    guessed: list[str] = field(default_factory=list[str])
    todo: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """
    ``schema`` is where the body's schema stands, ``body`` the same flattened.

    ``lines`` is the JSON Pointer of the lines in an order, ``limits`` the least and greatest
    batch (0: none is told), ``status`` the documented statuses of success, ``order`` the full order,
    ``auth`` the ``[auth]`` of provider.toml, ``guarded`` whether the file demands credentials.
    """

    name: str
    prefix: str
    document: Document
    operation: Operation
    media: str
    schema: Spot
    body: Node
    envelope: Envelope
    lines: str
    limits: tuple[int, int]
    status: tuple[int, ...]
    order: Any
    auth: dict[str, Any]
    guarded: bool

    @property
    def token(self) -> str:
        """The member of an order that the run's own ids go into: one that is needed, if there is one; else nothing."""
        order = self.order if isinstance(self.order, dict) else {}
        facts = ("@order.id", "@order.number", "@order.reference")
        texts = {
            str(name): facts.index(each) for name, each in order.items() if isinstance(each, str) and each in facts
        }
        needed = self.envelope.order.get("required", [])
        ranked = sorted(texts, key=lambda name: (name not in needed, texts[name]))
        return f"/{ranked[0]}" if ranked else ""
