"""
Endpoints made from the healthy one by what stands around it, conforming and not.

They know the documentation of Sendcloud's orders and ASGI, and share nothing with the
faults of the reference endpoint.
"""

import json
import re
from dataclasses import dataclass, replace

from wrapping import JSON, Said, Wrapping, read

PREFIX = "/data/attributes/"
_ORDER = re.compile(r"/data/attributes/\[(\d+)\](/.*)?")


@dataclass(frozen=True)
class Call:
    """One request as an application gets it."""

    scope: dict
    body: bytes

    @property
    def method(self):
        return self.scope["method"]

    @property
    def path(self):
        """The path without the documented base."""
        return self.scope["path"].removeprefix("/api/v3")

    @property
    def number(self):
        """The id in the path of one order, else None."""
        found = re.fullmatch(r"/orders/(\d+)", self.path)
        return int(found[1]) if found else None

    @property
    def is_batch(self):
        return (self.method, self.path) == ("POST", "/orders")

    @property
    def is_list(self):
        return (self.method, self.path) == ("GET", "/orders")

    @property
    def orders(self):
        """The orders in the body; none where it is no batch of objects."""
        body = read(self.body)
        return body if self.is_batch and isinstance(body, list) and all(isinstance(each, dict) for each in body) else []

    def of(self, orders):
        """The same call with other orders."""
        return replace(self, body=json.dumps(orders).encode())

    def to(self, method, path):
        """Another call by the same caller, without a body."""
        path = "/api/v3" + path
        return Call(self.scope | {"method": method, "path": path, "raw_path": path.encode(), "query_string": b""}, b"")


def key_of(order):
    """What identifies an order, or None where it lacks that."""
    try:
        return json.dumps([order["order_id"], order["order_details"]["integration"]["id"]])
    except (KeyError, TypeError):
        return None


def bad_places(said):
    """The indexes of the orders that a refusal names."""
    errors = (said.json or {}).get("errors", [])
    found = (_ORDER.fullmatch(each.get("source", {}).get("pointer", "")) for each in errors)
    return {int(each[1]) for each in found if each}


def busy():
    """The documented answer to a batch of which an order is being processed."""
    error = {
        "status": "400",
        "code": "invalid",
        "detail": "Some orders are processed by another call; the whole batch was dropped.",
        "source": {"pointer": "/data"},
    }
    return Said(400, JSON, json.dumps({"errors": [error]}).encode())


class Around(Wrapping):
    """
    An ASGI application around another one.

    ``taken`` are the ids of accepted orders by their key, as callers were told.
    """

    def __init__(self, inner):
        super().__init__(inner)
        self.taken = {}
        self.calls = []

    def call(self, scope, body):
        call = Call(scope, body)
        self.calls.append((call.method, call.path))
        return call

    async def ask(self, call):
        """What the application inside answers."""
        said = await super().ask(call)
        if call.orders and said.accepts:
            for order, entry in zip(call.orders, said.json["data"], strict=True):
                self.taken[key_of(order)] = entry["id"]
        return said

    def is_update(self, order):
        """Whether an order would change one that is there."""
        return key_of(order) in self.taken or str(order.get("id")) in {str(each) for each in self.taken.values()}

    def changed(self, call, said):
        """What becomes of an answer."""
        if call.is_batch and said.accepts:
            return self.success(said)
        if call.is_batch and said.status == 400:
            return self.refusal(call, said)
        if call.method == "GET" and said.accepts:
            return self.reading(call, said)
        return said

    def success(self, said):
        return said

    def refusal(self, call, said):
        return said

    def reading(self, call, said):
        return said


# Oddities that the documentation allows


class Ok(Around):
    """Answers 200 where it might say 201."""

    def success(self, said):
        return replace(said, status=200)


class Shuffled(Around):
    """Lists its entries in another order than the batch."""

    def success(self, said):
        body = said.json
        entries = body["data"]
        body["data"] = entries[1::2] + entries[::2][::-1]
        return said.saying(body)


class Talkative(Around):
    """Has more in its answers than the documentation names."""

    def success(self, said):
        body = said.json
        for each in body["data"]:
            each |= {"created_at": "2026-06-15T12:00:00Z", "status": {"code": None}, "links": [], "uuid": None}
        return said.saying({"meta": {"count": len(body["data"])}, "warnings": []} | body | {"errors": []})

    def reading(self, call, said):
        body = said.json
        orders = body["data"] if isinstance(body["data"], list) else [body["data"]]
        for each in orders:
            each |= {"customer": {"name": None}, "parcels": []}
            for line in each["order_details"]["order_items"]:
                line |= {"item_id": line.get("item_id", "i-1"), "stock": None}
        return said.saying(body | {"meta": None})


class WordyErrors(Around):
    """Errors with all that JSON:API knows."""

    def refusal(self, call, said):
        body = said.json
        for number, each in enumerate(body["errors"]):
            each |= {
                "title": "Not valid",
                "id": f"e-{number}",
                "meta": {"a": [1]},
                "links": {"about": "https://x.invalid"},
            }
            each["source"] = each.get("source", {}) | {"parameter": "body", "header": "content-type"}
        return said.saying(body | {"jsonapi": {"version": "1.1"}})


class DeeperPointers(Around):
    """Points behind the member, into the alternatives of its schema."""

    def refusal(self, call, said):
        body = said.json
        for each in body["errors"]:
            pointer = each.get("source", {}).get("pointer", "")
            if (found := _ORDER.fullmatch(pointer)) and found[2]:
                each["source"]["pointer"] = f"{pointer}/anyOf/[1]/value"
        return said.saying(body)


class MoreErrors(Around):
    """Reports, ahead of the mistake, a general error without a place."""

    def refusal(self, call, said):
        body = said.json
        general = {"status": "400", "code": "invalid", "detail": "The batch was refused."}
        return said.saying({"errors": [general, *body["errors"]]})


class JsonApi(Around):
    """Names the media type of JSON:API, with a parameter."""

    def changed(self, call, said):
        headers = [each for each in said.headers if each[0] != b"content-type"]
        if said.body:
            headers.append((b"content-type", b"Application/Vnd.API+JSON; charset=UTF-8"))
        return replace(said, headers=headers)


class BusyAtFirst(Around):
    """Is still storing when the first updates come: each of them is refused for the moment, twice."""

    most = 12

    def __init__(self, inner):
        super().__init__(inner)
        self.refused = 0

    async def answer(self, call):
        if self.refused < self.most and any(map(self.is_update, call.orders)):
            self.refused += 1
            return busy()
        return await super().answer(call)


class BusyNowAndThen(Around):
    """Refuses every second update for the moment; the same batch again is taken."""

    def __init__(self, inner):
        super().__init__(inner)
        self.updates = 0
        self.dropped = set()

    async def answer(self, call):
        if any(map(self.is_update, call.orders)):
            if call.body in self.dropped:
                self.dropped.remove(call.body)
            else:
                self.updates += 1
                if self.updates % 2 == 0:
                    self.dropped.add(call.body)
                    return busy()
        return await super().answer(call)


class Paged(Around):
    """Never shows more orders a page than so many, whatever was asked for."""

    most = 25

    async def answer(self, call):
        if call.is_list:
            query = call.scope["query_string"].replace(b"page_size=200", b"page_size=%d" % self.most)
            call = replace(call, scope=call.scope | {"query_string": query})
        return await super().answer(call)


class SplitLinks(Paged):
    """Has a Link field of its own for each page, the one before first."""

    def reading(self, call, said):
        before = (b"link", b'</api/v3/orders?page_size=25&cursor=none>; rel="prev"')
        return replace(said, headers=[before, *said.headers]) if call.is_list else said


class AsciiJson(Around):
    """Escapes what is beyond ASCII, as the usual writers of Python and PHP do."""

    def changed(self, call, said):
        return said if said.json is None else said.saying(said.json)


class LateList(Around):
    """Lists an order some seconds after it can be read by its id."""

    def __init__(self, inner, clock, lag):
        super().__init__(inner)
        self.clock, self.lag = clock, lag
        self.since = {}
        self.listed_at = []

    def success(self, said):
        for entry in said.json["data"]:
            self.since.setdefault(str(entry["id"]), self.clock.monotonic())
        return said

    def reading(self, call, said):
        if not call.is_list:
            return said
        if b"page_size=200" in call.scope["query_string"] and b"cursor" not in call.scope["query_string"]:
            self.listed_at.append(self.clock.monotonic())
        late = self.clock.monotonic() - self.lag
        return said.saying({"data": [each for each in said.json["data"] if self.since[str(each["id"])] <= late]})


# Endpoints that break one promise


class SkipsBetweenPages(Around):
    """The first order of every further page is nowhere in the list (SC-288)."""

    def reading(self, call, said):
        further = call.is_list and b"cursor" in call.scope["query_string"]
        return said.saying({"data": said.json["data"][1:]}) if further else said


class KeepsSiblings(Around):
    """Stores the good orders of a batch that it refuses (SC-279)."""

    async def answer(self, call):
        said = await self.ask(call)
        bad = bad_places(said)
        if said.status == 400 and bad:
            good = [each for index, each in enumerate(call.orders) if index not in bad]
            if good:
                await self.ask(call.of(good))
        return said


class AppliesUpdates(Around):
    """Applies the updates of a batch that it refuses (SC-280)."""

    async def answer(self, call):
        said = await self.ask(call)
        bad = bad_places(said)
        if said.status == 400 and bad:
            known = [each for index, each in enumerate(call.orders) if index not in bad and self.is_update(each)]
            if known:
                await self.ask(call.of(known))
        return said


class KeepsOrderId(Around):
    """An id with another order_id updates all but the order_id (SC-035)."""

    async def answer(self, call):
        orders = call.orders
        names = {str(number): json.loads(key)[0] for key, number in self.taken.items()}
        moved = {}
        for each in orders:
            old = names.get(each.get("id")) if isinstance(each.get("id"), str) else None
            if old is not None and isinstance(each.get("order_id"), str) and each["order_id"] != old:
                moved[old], each["order_id"] = each["order_id"], old
        said = await self.ask(call.of(orders) if moved else call)
        return self.shown(said, moved) if moved and said.accepts else said

    def shown(self, said, moved):
        """The answer to the batch; nobody is told that the order kept its order_id."""
        body = said.json
        for each in body["data"]:
            each["order_id"] = moved.get(each["order_id"], each["order_id"])
        return said.saying(body)


class TakesOrderId(KeepsOrderId):
    """An id with another order_id changes the order's order_id (SC-035)."""

    def __init__(self, inner):
        super().__init__(inner)
        self.renamed = {}

    def shown(self, said, moved):
        self.renamed |= moved
        return super().shown(said, moved)

    def reading(self, call, said):
        body = said.json
        for each in body["data"] if isinstance(body["data"], list) else [body["data"]]:
            each["order_id"] = self.renamed.get(each["order_id"], each["order_id"])
        return said.saying(body)


class _Pointing(Around):
    """Names another order than the bad one."""

    def index(self, index, size):
        raise NotImplementedError

    def refusal(self, call, said):
        body = said.json
        for each in body["errors"]:
            if found := _ORDER.fullmatch(each.get("source", {}).get("pointer", "")):
                index = self.index(int(found[1]), len(call.orders))
                each["source"]["pointer"] = f"{PREFIX}[{index}]{found[2] or ''}"
        return said.saying(body)


class CountsFromOne(_Pointing):
    """Counts orders from one in pointers (SC-274)."""

    def index(self, index, size):
        return index + 1


class OffInLongBatches(_Pointing):
    """Loses count in batches of more than fifty (SC-282)."""

    def index(self, index, size):
        return index - 1 if size > 50 and index else index


class AddsOnUpsert(Around):
    """A known order sent without its id is stored a second time (SC-030)."""

    def __init__(self, inner):
        super().__init__(inner)
        self.more = 0

    async def answer(self, call):
        orders = call.orders
        for each in orders:
            if key_of(each) in self.taken and "id" not in each:
                self.more += 1
                each["order_id"] += f"~copy{self.more}~"
        said = await self.ask(call.of(orders) if orders else call)
        return replace(said, body=re.sub(rb"~copy\d+~", b"", said.body))


class Accepted202(Around):
    """Answers 202 (SC-257)."""

    def success(self, said):
        return replace(said, status=202)


class TextIds(Around):
    """Writes ids as texts (SC-260)."""

    def success(self, said):
        body = said.json
        for each in body["data"]:
            each["id"] = str(each["id"])
        return said.saying(body)


class NoErrors(Around):
    """Refuses without errors (SC-267)."""

    def refusal(self, call, said):
        return said.saying({"message": "The batch was refused."})


class Refuses422(Around):
    """Refuses with 422 (SC-266)."""

    def refusal(self, call, said):
        return replace(said, status=422)


class DropsEverySeventh(Around):
    """Loses every seventh new order (SC-284)."""

    def __init__(self, inner):
        super().__init__(inner)
        self.new = 0

    async def answer(self, call):
        known = set(self.taken)
        said = await self.ask(call)
        for each in call.orders if said.accepts else ():
            if key_of(each) not in known:
                self.new += 1
                if self.new % 7 == 0:
                    await self.ask(call.to("DELETE", f"/orders/{self.taken[key_of(each)]}"))
        return said


class OtherQuantities(Around):
    """Stores one piece more of everything (SC-286)."""

    def reading(self, call, said):
        body = said.json
        for order in body["data"] if isinstance(body["data"], list) else [body["data"]]:
            for line in order["order_details"]["order_items"]:
                line["quantity"] += 1
        return said.saying(body)


class LooksAtTen(Around):
    """Validates the first ten orders of a batch; what is wrong with later ones it drops without a word (SC-282)."""

    async def answer(self, call):
        said = await self.ask(call)
        bad = bad_places(said)
        if said.status != 400 or not bad or min(bad) < 10:
            return said
        orders = call.orders
        good = [each for index, each in enumerate(orders) if index not in bad]
        taken = await self.ask(call.of(good))
        entries = iter(taken.json["data"])
        invented = {"id": 10**9, "order_id": "", "order_number": ""}
        data = [
            invented | {name: each[name] for name in ("order_id", "order_number") if isinstance(each.get(name), str)}
            if index in bad
            else next(entries)
            for index, each in enumerate(orders)
        ]
        return taken.saying({"data": data})


class NeverReadable(Around):
    """Takes everything and shows nothing, be it that storing takes for ever."""

    async def answer(self, call):
        if call.number is not None:
            return await self.ask(replace(call, scope=call.scope | {"path": "/api/v3/orders/999999999"}))
        return await super().answer(call)

    def reading(self, call, said):
        headers = [each for each in said.headers if each[0] != b"link"]
        return replace(said, headers=headers).saying({"data": []})
