"""Refusals: what is wrong with a request, and the answer that says so in the form of the pack."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, cast

from conformance import envelope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Json, JsonObject
    from conformance.providers import Provider
    from conformance.reference.behaviour import Behaviour

# What a code is where the pack has no word of its own for it.
_PLAIN = {"root": "invalid"}
_PLACE = "{pointer}"
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Flaw:
    """
    One thing wrong with a request.

    ``pointer`` is relative to the order at ``index``, or to the body without one. ``place``
    is ``batch`` (the number of orders), ``temporary`` (others are being stored), ``header`` or ``parameter``
    (that ``name``), ``fixed`` (a member that cannot change), or nothing. ``keyword`` is that of the
    schema which was broken; a broken rule may have a ``status`` and a ``form`` of its own, which shows the ``value``.
    """

    message: str
    pointer: str = ""
    index: int | None = None
    code: str | int = "invalid"
    place: str = ""
    name: str = ""
    keyword: str = ""
    status: int = 0
    form: JsonObject | None = None
    value: Json = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is bytes: JSON, or text of some media type, or nothing at all."""

    status: int
    body: Json = None
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    media: str = ""


class Refusals:
    """
    Answers that refuse.

    Where the pack names a list of errors (``reference.errors``) there is one error a flaw; else the answer is
    the one error of the first flaw.
    """

    def __init__(self, provider: Provider, behaviour: Behaviour) -> None:
        self._main = provider.main
        self._behaviour = behaviour
        reference = provider.reference
        self._list = str(reference.get("errors", ""))
        self._form = cast("JsonObject", reference.get("error", {"error": "{message}"}))
        words = cast("dict[str | int, str | int]", reference.get("codes", {}))
        self._codes = cast("dict[str | int, str | int]", _PLAIN) | words
        self._codes |= cast("dict[str | int, str | int]", behaviour.other_codes)
        self._batch = str(reference.get("batch-pointer", ""))

    def code(self, flaw: Flaw) -> str | int:
        """The pack's code of a flaw: that of its keyword or rule, else that of anything invalid."""
        known = self._codes
        if flaw.code not in ("invalid", "root"):
            return known.get(flaw.code, flaw.code)
        return known.get(flaw.keyword, known.get("invalid", flaw.code))

    @property
    def all_at_once(self) -> bool:
        """Whether an answer names every flaw."""
        return bool(self._list)

    def reply(self, status: int, flaws: Sequence[Flaw], size: int = 0) -> Reply:
        """The answer to a request of ``size`` orders with these flaws; there is at least one."""
        shown = flaws[:1] if self._behaviour.first_mistake_only or not self._list else flaws
        form = self._behaviour.refusal_form
        status = shown[0].status or status
        code = (
            self._behaviour.refusal_status
            if status in (400, shown[0].status) and self._behaviour.refusal_status
            else status
        )
        if form:
            words = "; ".join(each.message for each in shown)
            html = f"<!doctype html><title>Refused</title><p>{escape(words)}</p>"
            return Reply(code, text=html if form == "html" else words, media=f"text/{form.replace('text', 'plain')}")
        errors: list[Json] = [self._error(status, each, size) for each in shown]
        return Reply(code, {self._list: errors} if self._list else errors[0])

    def _error(self, status: int, flaw: Flaw, size: int) -> JsonObject:
        message = flaw.message
        if self._list and len(message) > _LONGEST:
            message = f"{message[:_LONGEST]}…"
        pointer = self._pointer(flaw, size)
        words = {
            "code": self._codes.get(flaw.code, flaw.code),
            "message": message,
            "pointer": pointer,
            "status": status,
            "value": flaw.value,
        }
        error: JsonObject = {}
        for key, text in (self._form if flaw.form is None else flaw.form).items():
            if not isinstance(text, dict):
                error[key] = str(text).format(**words)
                continue
            # A place that there is not is left out, and the object for it with it.
            inner: JsonObject = {
                name: str(each).format(**words) for name, each in text.items() if each != _PLACE or pointer
            }
            if flaw.name and _PLACE in text.values():
                inner[flaw.place] = flaw.name
            if inner:
                error[key] = inner
        return error

    def _pointer(self, flaw: Flaw, size: int) -> str:
        form = self._main.refusal
        if flaw.place == "batch" and self._list:
            return self._batch
        if flaw.place == "temporary" and form:
            return form.temporary
        if flaw.index is None:
            return flaw.pointer
        if not form:
            return envelope.place(self._main, flaw.index) + flaw.pointer
        order = form.order.format(index=self._index(flaw.index, size))
        kind = self._behaviour.pointer_form
        if kind == "bare":
            order = order[order.rfind("/") :]
        path = re.sub(r"/(\d+)(?=/|$)", r"/[\1]", flaw.pointer) if kind == "brackets" else flaw.pointer
        return order + ("" if kind == "order-only" else path)

    def _index(self, index: int, size: int) -> int:
        kind = self._behaviour.index_by
        if kind == "middle-as-last":
            return size - 1 if index else index
        return {"one-based": index + 1, "zero": 0, "from-end": size - 1 - index}.get(kind, index)
