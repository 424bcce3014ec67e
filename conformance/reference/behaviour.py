"""What a reference endpoint does, as a value that faults change."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from conformance.schemas import closed

if TYPE_CHECKING:
    from conformance.model import Json, JsonObject
    from conformance.providers import Provider


@dataclass(frozen=True, slots=True)
class Behaviour:
    """
    ``schemas`` holds the inlined request schema by operation id; ``rules`` the settings of
    the rules in force; ``strict`` whether it refuses where the documentation is silent. All
    other fields are what a careless endpoint does; without a value they do nothing.
    """

    schemas: dict[str, JsonObject]
    rules: tuple[dict[str, Any], ...]
    status: int
    strict: bool = False

    # Who may ask.
    token_optional: bool = False
    token_unchecked: bool = False
    # One header of several that need not be there, or may hold anything; whether a key needs the right to create.
    optional_header: str = ""
    unchecked_header: str = ""
    rights_unchecked: bool = False
    # A key that merely begins as it should.
    key_begins: bool = False
    # An operation (``operation``) that does not look at one header (``header``), or at none.
    unguarded: dict[str, str] = field(default_factory=dict["str", "str"])
    # A header (``header``) that is looked at carelessly (``how``): its letter ``case`` does not matter, its ``half`` is
    # enough, its ``tail`` is not read, or an ``empty`` one will do.
    careless_header: dict[str, str] = field(default_factory=dict["str", "str"])
    secret_unchecked: bool = False
    secret_any_case: bool = False
    # Tokens for whoever asks.
    client_unchecked: bool = False
    # A scheme of the authorization header, in small letters, that is not served.
    scheme_refused: str = ""
    token_status: int = 0
    token_answer: dict[str, Json] = field(default_factory=dict["str", "Json"])
    # Headers: one that has to be there, and whether those of the pack are looked at.
    header_demanded: str = ""
    headers_unchecked: bool = False
    # Account facts (lists) whose first so many members are not known.
    known_from: dict[str, int] = field(default_factory=dict["str", int])

    # What counts as a batch.
    media_type: str = ""
    empty_body: bool = False
    not_json: bool = False
    # A kind of body that is no JSON and is taken, by its name among the ``@body`` expressions.
    json_taken: str = ""
    # Other roots that are taken: ``empty`` {}, a lone ``order``, a ``wrapped`` list, a ``text``, an ``array``, an order
    # ``encoded`` as a text, ``anything``; ``sole`` is anything, answered without a name.
    root_taken: str = ""
    skip_non_objects: bool = False
    # JSON Pointer of a member that has to be alike in all orders of a batch.
    alike_in_batch: str = ""
    # So many orders of a batch are validated (0: all of them).
    look_at_first: int = 0
    skip_last: bool = False
    lone_orders_only: bool = False

    # Identity: what a known key does (``add``, ``refuse``, ``ignore``; else it updates), so many members
    # of the key count (0: all), what an id does (``refuse``, ``add``, ``ignore``), and
    # whether it may be given another key (``taken``, ``refused-but-done``).
    on_known_key: str = ""
    key_length: int = 0
    on_id: str = ""
    rename: str = ""
    # Lines of an update: ``merge`` keeps the old ones that are not overwritten, ``append`` keeps all.
    lines_on_update: str = ""
    busy_while_storing: bool = False

    # The answer to a batch that was taken. ``outcomes`` is ``first-only``, ``one-more``,
    # ``crossed`` (numbers of each other) or ``first-echo`` (the number of the first for all).
    update_status: int = 0
    outcomes: str = ""
    one_id: bool = False
    new_ids: bool = False
    # One order a request: the same id for every request; the words for its state; totals ``without-quantity``, of the
    # ``first-line`` only or ``a-cent-more``, or every line ``line-a-cent-more``, or dearer where it is settled in its
    # ``own-currency``; lines ``first-only``, ``merged``,
    # ``one-more``, ``crossed``, ``reversed`` or ``quantity-one``; amounts with a ``decimal-comma`` or ``with-currency``;
    # orders settled in another currency ``not-converted``, charged to the ``first-wallet``, with the ``original-in-settlement`` or the
    # ``unit-in-product`` currency; so many lines that are looked at (0: all).
    one_request_id: bool = False
    first_status: str = ""
    later_status: str = ""
    totals: str = ""
    lines_shown: str = ""
    amount_form: str = ""
    cross_currency: str = ""
    lines_looked_at: int = 0
    # Orders by name: ``numbered``, ``small``, ``trimmed``, ``ascii``, ``one-less`` or ``one-more`` names; an array where
    # names are digits; the status where some or all are refused; refused orders that have a number or no entry; one bad
    # order that stops ``all`` or those ``after`` it; orders prepared as the ``first`` one says, or ``always`` or ``never``.
    names: str = ""
    array_of_digits: bool = False
    mixed_status: int = 0
    all_refused_status: int = 0
    answer_media: str = ""
    numbers_of_refused: bool = False
    refused_left_out: bool = False
    refused_word: str = ""
    one_failure_for_all: bool = False
    # ``number``: lists show ids as JSON numbers where the pack has texts.
    number_shown_as: str = ""
    # Keys that are texts of digits are answered as JSON numbers.
    digits_as_number: bool = False
    stopped_by_bad: str = ""
    prepared: str = ""
    number_ignored: bool = False
    # Not a fault: an order of several lines becomes several orders.
    split_orders: bool = False
    complete_ignored: bool = False
    complete_refused: bool = False
    # Finishing later: ``once`` only, answered with ``numbers``, of the ``latest`` order, or with the ``first-line`` alone.
    completing: str = ""
    # The member of a product by which it is taken for another one.
    mistaken_by: str = ""

    # Refusals. ``index_by`` is ``one-based``, ``zero``, ``from-end`` or ``middle-as-last``; ``pointer_form``
    # is ``order-only``, ``bare`` or ``brackets``; ``refusal_form`` is ``text`` or ``html``.
    refusal_status: int = 0
    refusal_form: str = ""
    other_codes: dict[str, str] = field(default_factory=dict["str", str])
    first_mistake_only: bool = False
    index_by: str = ""
    pointer_form: str = ""
    # Orders of a refused batch that are stored all the same: ``good`` ones, those ``before`` the first
    # bad one, a ``lone`` bad one, ``updates`` of known orders.
    kept_when_refused: str = ""
    remembers_refused: bool = False

    # Storage: changes to what is stored (``at``, ``value``); one order of so many lost; all lost.
    stored_edits: tuple[dict[str, Any], ...] = ()
    loses_every: int = 0
    # An order with a number that is known replaces the earlier one.
    overwrites: bool = False
    never_stored: bool = False

    # Reading back.
    unreadable_by_id: bool = False
    filters_ignored: bool = False
    # A filter of several that is not looked at; filters that mind letter case.
    filter_ignored: str = ""
    filters_mind_case: bool = False
    list_empty: bool = False
    no_paging: bool = False
    # The link to the next page leads to the page it stands on; lists begin with the oldest order unless asked otherwise.
    next_is_same: bool = False
    oldest_first: bool = False
    page_size_ignored: bool = False
    # Pages tell a size, and show all there is; or the first page is shown whichever is asked for.
    pages_uncut: bool = False
    first_page_always: bool = False
    # Of several orders found by one filter, the newest is shown alone.
    newest_only: bool = False
    # Lists show so many lines of an order (0: all).
    lines_listed: int = 0
    # The next page begins one order too late.
    pages_skip: bool = False
    page_default: int = 0
    first_page: int = 1
    codes_missing: bool = False
    delete_status: int = 0
    delete_ignored: bool = False
    deleted_readable: bool = False

    # Only where requests overlap: one of ``racy.KINDS``.
    racy: str = ""

    # Changes to the JSON of answers: ``operation``, ``answer``, ``path`` (of a site), ``edit`` and ``value``.
    answer_edits: tuple[dict[str, Any], ...] = ()


def healthy(provider: Provider, *, strict: bool = False) -> Behaviour:
    """The behaviour that the pack documents; ``strict`` refuses what it is silent about."""
    schemas = {each.id: copy.deepcopy(each.request_schema) for each in provider.operations}
    rules = _rules(provider, "always")
    if strict:
        rules += _rules(provider, "strict")
        schemas = {name: closed(schema) for name, schema in schemas.items()}
    return Behaviour(schemas, rules, provider.main.success[0], strict=strict)


def _rules(provider: Provider, kind: str) -> tuple[dict[str, Any], ...]:
    """The rules of a pack that its revision knows."""
    rows = cast("list[dict[str, Any]]", provider.reference.get(kind, []))
    return tuple(each for each in rows if provider.revision in each.get("revision", (provider.revision,)))
