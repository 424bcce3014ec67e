"""
EZ Cards from outside: what conforms is conformant, what does not is found, and no cent is spent that is not told.

The endpoints are the healthy one with something of the test's own around it (``variants``).
"""

import json
import re
import time
import uuid
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness import advisory, inconclusive, red, verdicts
from variants import (
    CREDENTIALS,
    Around,
    Broken,
    Clock,
    cases,
    conforms,
    endpoint,
    every_must_is_settled,
    everywhere,
    overall,
    pack,
    proves_nothing,
    report,
    said,
    served,
    unhappy,
)
from variants import run as run_any

from conformance import guard, providers
from conformance import suite as suites
from conformance.model import Account
from conformance.patience import Patience

NAME = "ezcards"
ENVIRONMENT = {f"EZCARDS_{key.upper()}": CREDENTIALS[key] for key in ("api_key", "access_token")}
ACCOUNT = providers.load(NAME).folders.fixtures / "account.toml"
REVISIONS = ("seed", "current")


def made(revision="current"):
    return pack(NAME, revision)


def run(around=None, *, revision="current", **more):
    return run_any(made(revision), around, **more)


@cache
def healthy(revision="current", *, strict=False):
    """The run that others are held against."""
    return run(revision=revision, strict=strict)


class EzCards(Around):
    base = "/v2"


# The healthy endpoint


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_the_healthy_endpoint_is_conformant(revision, strict):
    done = healthy(revision, strict=strict)
    conforms(done)
    found = report(done)
    assert found["provider"]["revision"] == revision
    assert found["run"]["complete"] is True
    assert red(done) == advisory(done) == inconclusive(done) == set()
    assert len(every_must_is_settled(found)) > 50
    assert found["counts"]["requests"] < 190


def test_the_older_documentation_knows_no_settlement_currency():
    """In profile seed the member is never sent, not even to observe it (EZ-079)."""
    for revision, expected in (("seed", False), ("current", True)):
        sent = any(b"payWithCurrency" in (each.exchange.request.body or b"") for each in healthy(revision).records)
        assert sent is expected


def test_all_providers_at_once(run_pytest, tmp_path):
    """Four conformant runs, and a folder of each."""
    outcome = run_pytest(tmp_path, "--provider=all", "--report=out", timeout=300)
    assert outcome.ret == 0
    names = {"atlast", "centra", "ezcards", "sendcloud"}
    assert {each.name for each in (tmp_path / "out").iterdir()} == names
    for name in names:
        assert json.loads((tmp_path / "out" / name / "report.json").read_text("utf-8"))["verdict"] == "conformant"
        assert any(f" {name}: conformant " in line for line in outcome.lines)


# What the documentation allows


class Refuses(EzCards):
    """Refuses whatever is wrong with a body with one status."""

    status = 400

    def refused(self, call, answer):
        return answer if answer.status == 401 else said(self.status, answer.json)


class Refuses409(Refuses):
    status = 409


class Refuses422(Refuses):
    status = 422


class Refuses418(Refuses):
    status = 418


class RefusesInTurn(EzCards):
    """Refuses with another status each time."""

    def __init__(self, inner):
        super().__init__(inner)
        self.turn = count()

    def refused(self, call, answer):
        return answer if answer.status == 401 else said((400, 409, 413, 418, 422)[next(self.turn) % 5], answer.json)


class AnyErrors(EzCards):
    """Says of a refusal something else each time, and sometimes nothing."""

    bodies = (
        {"message": None},
        {"errors": [{"code": 17, "path": ["products", 0]}]},
        ["no"],
        "no",
        17,
        {},
        {"requestId": "r-1", "data": None},
        {"requestId": "r-1", "data": {"transactionId": None, "products": []}, "error": True},
        None,
    )

    def __init__(self, inner):
        super().__init__(inner)
        self.turn = count()

    def refused(self, call, answer):
        number = next(self.turn) % (len(self.bodies) + 2)
        if number >= len(self.bodies):
            return said(answer.status, text=("<html>Bad request</html>", '{"error": ')[number - len(self.bodies)])
        return said(answer.status, self.bodies[number])


class Talkative(EzCards):
    """Has more members than are documented, at every level of every answer, errors included."""

    def changed(self, call, answer):
        if answer.json is None:
            return answer
        more = {"extra": {"a": [1, None]}, "meta": None, "ezOrderNumber": "77", "paid": True}
        return answer.saying(everywhere(answer.json, lambda each: more | each))


class Backwards(EzCards):
    """Lists lines, and members, the other way round."""

    def changed(self, call, answer):
        def turn(each):
            each = {key: each[key] for key in reversed(each)}
            return each | {"products": each["products"][::-1]} if isinstance(each.get("products"), list) else each

        return answer.saying(everywhere(answer.json, turn)) if answer.json is not None else answer


def plain(amount):
    """1197.5, 950: no more digits than are needed."""
    text = f"{Decimal(amount.replace(',', '')):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def with_commas(amount):
    return f"{Decimal(plain(amount)):,}"


FORMS = {
    "1197.5": plain,
    "1,197.5": with_commas,
    "1,197.50": lambda amount: f"{Decimal(plain(amount)):,.2f}",
    "1197.50": lambda amount: f"{Decimal(plain(amount)):.2f}",
    "950.0000": lambda amount: f"{Decimal(plain(amount)):.4f}",
}


def writing(form):
    class Writing(EzCards):
        """Writes amounts in one way; or each in another way than the one before."""

        turn = count()

        def changed(self, call, answer):
            def write(each):
                if not isinstance(each.get("amount"), str):
                    return each
                how = FORMS.get(form) or list(FORMS.values())[next(self.turn) % len(FORMS)]
                return each | {"amount": how(each["amount"])}

            return answer.saying(everywhere(answer.json, write)) if answer.json is not None else answer

    return Writing


def test_the_forms_of_amounts_are_what_they_are_called():
    assert [each("1197.50") for each in FORMS.values()][:4] == ["1197.5", "1,197.5", "1,197.50", "1197.50"]
    assert [each("950") for each in FORMS.values()] == ["950", "950", "950.00", "950.00", "950.0000"]


@pytest.mark.parametrize("form", [*FORMS, "mixed"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_amounts_may_be_written_in_any_form(form, revision):
    done = run(writing(form), revision=revision)
    conforms(done)
    texts = b"".join(each.exchange.response.body for each in done.records)
    # The order of a hundred units costs 1250, which shows the form.
    assert FORMS.get(form, plain)("1250").encode() in texts


def naming(kind):
    class Naming(EzCards):
        """Has ids of requests of its own kind."""

        turn = count(1)

        def read(self, call, body):
            if "requestId" not in body:
                return body
            number = next(self.turn)
            words = {
                "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),
                "capitals": str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))).upper(),
                "hexadecimal": uuid.uuid5(uuid.NAMESPACE_URL, str(number)).hex,
                "text": f"req #{number} – ü/é",
                "number": str(number),
            }
            return body | {"requestId": words[kind]}

        taken = read

    return Naming


@pytest.mark.parametrize("kind", ["uuid", "capitals", "hexadecimal", "text", "number"])
def test_request_ids_may_be_any_text(kind):
    conforms(run(naming(kind)))


def sent_as(media):
    class SentAs(EzCards):
        """Says of its JSON that it is something else, or nothing of the kind."""

        def changed(self, call, answer):
            headers = [each for each in answer.headers if each[0].lower() != b"content-type"]
            headers += [(b"content-type", media.encode())] if media else []
            return type(answer)(answer.status, headers, answer.body)

    return SentAs


@pytest.mark.parametrize("media", ["", "text/json", "text/plain; charset=utf-8", "application/vnd.ez+json"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_nobody_documents_the_media_type_of_answers(media, revision):
    conforms(run(sent_as(media), revision=revision))


class Numbers(EzCards):
    """What becomes of an order without a number, in answers and lists."""

    def __init__(self, inner):
        super().__init__(inner)
        self.turn = count()

    def number(self, order):
        raise NotImplementedError

    def taken(self, call, body):
        return self.read(call, body)

    def read(self, call, body):
        def change(each):
            return self.number(each) if "transactionId" in each and each.get("clientOrderNumber") is None else each

        return everywhere(body, change)


class NumberNull(Numbers):
    def number(self, order):
        return order | {"clientOrderNumber": None}


class NumberLeftOut(Numbers):
    def number(self, order):
        return {key: value for key, value in order.items() if key != "clientOrderNumber"}


class NumberEmpty(Numbers):
    def number(self, order):
        return order | {"clientOrderNumber": ""}


class NumberGenerated(Numbers):
    def number(self, order):
        return order | {"clientOrderNumber": f"EZ-{order['transactionId']}"}


class Original(EzCards):
    """What stands for the original price of orders that were not converted."""

    def taken(self, call, body):
        for line in body["data"]["products"]:
            if not isinstance(line.get("unitPriceOriginal"), dict):
                line.pop("unitPriceOriginal", None)
                line.update(dict.fromkeys(self.original))
        return body


class OriginalLeftOut(Original):
    original = ()


class OriginalNull(Original):
    original = ("unitPriceOriginal",)


class LinesCompleted(EzCards):
    """Says of the lines of a new order that they are completed already, as the documented example does (EZ-092)."""

    def taken(self, call, body):
        for line in body["data"]["products"]:
            line["status"] = "COMPLETED"
        return body


class Cancels(EzCards):
    """Cancels every order later on (EZ-095)."""

    def read(self, call, body):
        def cancel(each):
            return each | {"status": "CANCELLED"} if each.get("status") == "COMPLETED" and "codes" not in each else each

        return everywhere(body, cancel) if call.lists else body


class TransactionWords(EzCards):
    """Names transactions with words (EZ-T14)."""

    prefix = "trans_"

    async def answer(self, call):
        if call.method == "GET":
            scope = call.scope | {"path": call.scope["path"].replace(self.prefix, "")}
            scope["query_string"] = scope["query_string"].replace(self.prefix.encode(), b"")
            call = replace(call, scope=scope, path=call.path.replace(self.prefix, ""))
        return self.changed(call, await self.ask(call))

    def taken(self, call, body):
        return self.read(call, body)

    def read(self, call, body):
        def rename(each):
            return each | {"transactionId": self.prefix + each["transactionId"]} if "transactionId" in each else each

        return everywhere(body, rename)


class Twin(EzCards):
    """Refuses a product that stands in two lines (EZ-048)."""

    async def answer(self, call):
        lines = (call.json or {}).get("products") if isinstance(call.json, dict) else None
        if call.creates and isinstance(lines, list):
            names = [each.get("sku") for each in lines if isinstance(each, dict)]
            if len({str(each) for each in names}) < len(names):
                return said(422, {"message": "one line a product"})
        return await super().answer(call)


class Merges(EzCards):
    """Makes one line of two with the same product, which nobody rules out (EZ-048)."""

    def taken(self, call, body):
        order = body["data"]
        lines = {}
        for line in order["products"]:
            known = lines.setdefault(line["sku"], line)
            if known is not line:
                known["quantity"] += line["quantity"]
                total = Decimal(plain(known["totalPrice"]["amount"])) + Decimal(plain(line["totalPrice"]["amount"]))
                known["totalPrice"]["amount"] = str(total)
        order["products"] = list(lines.values())
        return body


class ReadsLeniently(EzCards):
    """Takes numeric text and 1.0 for a quantity and any letter case for a SKU, and answers what it read (EZ-052, EZ-055)."""

    async def answer(self, call):
        body = call.json if call.creates else None
        lines = body.get("products") if isinstance(body, dict) else None
        for line in lines if isinstance(lines, list) else ():
            if isinstance(line, dict):
                if line.get("quantity") in ("1", 1.0) and line["quantity"] is not True:
                    line["quantity"] = 1
                if isinstance(line.get("sku"), str):
                    line["sku"] = line["sku"].strip().upper()
        return await super().answer(call.sending(body) if lines else call)


class SkipsUnknown(EzCards):
    """Leaves out lines with a product that it does not know, if others are left (EZ-049)."""

    known = frozenset(each["sku"] for each in made().account.get("products"))

    async def answer(self, call):
        body = call.json if call.creates else None
        lines = body.get("products") if isinstance(body, dict) else None
        if isinstance(lines, list) and len(lines) > 1 and all(isinstance(each, dict) for each in lines):
            good = [each for each in lines if not isinstance(each.get("sku"), str) or each["sku"] in self.known]
            call = call.sending(body | {"products": good}) if good else call
        return await super().answer(call)


class TakesNumbersAsTheyCome(EzCards):
    """Makes texts of order numbers, trimmed and cut, and takes the empty one for none (EZ-023, EZ-024)."""

    async def answer(self, call):
        body = call.json if call.creates else None
        number = body.get("clientOrderNumber") if isinstance(body, dict) else None
        if isinstance(number, str | int):
            text = str(number).lower() if isinstance(number, bool) else str(number)
            body["clientOrderNumber"] = text.strip()[:64] or None
            if body["clientOrderNumber"] is None:
                del body["clientOrderNumber"]
            call = call.sending(body)
        return await super().answer(call)


class RefusesOddNumbers(EzCards):
    """Takes order numbers of letters, digits and - only, at most 64 (EZ-024)."""

    async def answer(self, call):
        body = call.json if call.creates else None
        if isinstance(body, dict) and "clientOrderNumber" in body:
            number = body["clientOrderNumber"]
            if not (isinstance(number, str) and re.fullmatch(r"[A-Za-z0-9-]{2,64}", number)):
                return said(400, {"error": "BAD_REQUEST"})
        return await super().answer(call)


class ReadsFlags(EzCards):
    """Takes anything but true for a flag that is off (EZ-039), and ignores members that it does not know."""

    async def answer(self, call):
        body = call.json if call.creates else None
        if isinstance(body, dict) and "enableClientOrderNumberDupCheck" in body:
            body["enableClientOrderNumberDupCheck"] = body["enableClientOrderNumberDupCheck"] is True
            call = call.sending(body)
        return await super().answer(call)


class OldestFirst(EzCards):
    """Lists the oldest orders of a page first."""

    def read(self, call, body):
        if call.lists:
            body["data"]["items"] = body["data"]["items"][::-1]
        return body


ODDITIES = [
    Refuses,
    Refuses409,
    Refuses422,
    Refuses418,
    RefusesInTurn,
    AnyErrors,
    Talkative,
    Backwards,
    NumberNull,
    NumberLeftOut,
    NumberEmpty,
    NumberGenerated,
    OriginalLeftOut,
    OriginalNull,
    LinesCompleted,
    Cancels,
    TransactionWords,
    Twin,
    Merges,
    ReadsLeniently,
    SkipsUnknown,
    TakesNumbersAsTheyCome,
    RefusesOddNumbers,
    ReadsFlags,
    OldestFirst,
]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda each: each.__name__)
def test_what_the_documentation_allows_raises_no_alarm(oddity, revision):
    done = run(oddity, revision=revision)
    conforms(done)
    assert verdicts(done) == verdicts(healthy(revision))


def test_several_oddities_at_once_raise_no_alarm():
    """A strict endpoint with all of them, as a real one may be."""

    def around(app):
        for each in (
            RefusesInTurn,
            Talkative,
            Backwards,
            NumberLeftOut,
            LinesCompleted,
            writing("mixed"),
            naming("text"),
        ):
            app = each(app)
        return app

    conforms(run(around, strict=True))


# Time


class Hidden(EzCards):
    """Shows orders some time after they were taken, as completed; their codes are not there before either."""

    clock = staticmethod(time.monotonic)
    seconds = 0.5

    def __init__(self, inner):
        super().__init__(inner)
        self.since = {}

    def taken(self, call, body):
        self.since[body["data"]["transactionId"]] = self.clock()
        return body

    def is_there(self, number):
        return self.clock() - self.since.get(number, -1e9) >= self.seconds

    def changed(self, call, answer):
        if call.path.endswith("/codes") and not self.is_there(call.path.split("/")[2]):
            return said(404, {"error": "NOT_FOUND"})
        return super().changed(call, answer)

    def read(self, call, body):
        if call.lists:
            page = body["data"]
            there = [each for each in page["items"] if self.is_there(each["transactionId"])]
            page["total"] -= len(page["items"]) - len(there)
            page["items"] = there
        return body


ABOUT_TIME = ("EZ-001", "EZ-034", "EZ-090", "EZ-091", "EZ-093", "EZ-094", "EZ-095", "EZ-096", "EZ-130", "EZ-132")


@pytest.mark.parametrize(
    ("around", "delay"), [(None, 0.5), (Hidden, 0.0), (Hidden, 0.5)], ids=["filled later", "shown later", "both"]
)
def test_orders_that_take_half_a_second_are_waited_for(around, delay):
    """Real time: the cases about what is stored, and nothing of them is a violation."""
    chosen = cases(made(), *ABOUT_TIME)
    done = run(around, inside=endpoint(made(), delay=delay), selected=chosen, patience=Patience)
    assert unhappy(done) == {}
    assert {str(done.judgements[name].verdict) for name in chosen} <= {"conformant", "observed"}


def test_orders_that_take_half_a_second_are_waited_for_over_http(run_pytest, tmp_path):
    outcome = run_pytest(tmp_path, f"--provider={NAME}", "--reference-delay=0.5", "--report=out", "--concurrency=4")
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"
    assert set(outcome.report["counts"]["cases"]) == {"conformant", "observed"}
    assert outcome.verdicts["EZ-095/order.finished"] == "conformant"


def test_orders_that_are_not_filled_in_time_leave_that_open(run_pytest, tmp_path):
    """Nobody says how long it takes: not determined within the waiting time, which is no failure (EZ-095)."""
    outcome = run_pytest(
        tmp_path, f"--provider={NAME}", "--reference-delay=1000", "--visibility-timeout=1", "--report=out", "--tb=line"
    )
    assert outcome.ret == 0
    assert outcome.report["verdict"] == "conformant"
    left_open = {name for name, each in outcome.verdicts.items() if each == "not-applicable"}
    assert left_open == {"EZ-095/order.finished"}
    reason = outcome.cases["EZ-095/order.finished"]["reason"]
    assert reason.startswith(
        "not determined within the waiting time, which no documentation bounds: /data/items/0/status"
    )
    assert set(outcome.report["counts"]["cases"]) == {"conformant", "observed", "not-applicable"}


@pytest.mark.parametrize("revision", REVISIONS)
def test_orders_that_are_never_filled_are_conformant_only_while_they_say_so(revision):
    """A status that nobody documents is found without waiting for another one (EZ-091)."""

    class Pending(EzCards):
        def read(self, call, body):
            for order in body["data"]["items"] if call.lists else ():
                order["status"] = "PENDING"
            return body

    done = run(Pending, revision=revision)
    assert "EZ-091" in red(done)


def test_listing_that_becomes_slower_is_waited_for():
    """The first order is listed at once, later ones within eight seconds: far below the limit of sixty (RESOLUTIONS 3)."""
    clock = Clock()

    class Slower(Hidden):
        def is_there(self, number):
            self.seconds = 8.0 if list(self.since).index(number) else 0.0
            return super().is_there(number)

    Slower.clock = staticmethod(clock.monotonic)
    done = run(Slower, patience=clock.patience)
    assert {name: each for name, each in unhappy(done).items() if each[0] == "violation"} == {}


@pytest.mark.parametrize("revision", REVISIONS)
def test_orders_that_are_never_shown_prove_nothing(revision):
    """Accepted and never listed, all of them: inconclusive (RESOLUTIONS 3)."""

    class Never(Hidden):
        seconds = 1e6

    done = run(Never, revision=revision)
    proves_nothing(done)
    assert done.judgements["EZ-094/accepted.listed"].verdict == "inconclusive"
    assert done.judgements["EZ-095/order.finished"].verdict == "inconclusive"
    assert verdicts(done)["EZ-054/products.quantity.text"] == "conformant"


def test_waiting_for_an_endpoint_that_shows_nothing_ends():
    """The limit is spent a few times at most, not case by case."""
    clock = Clock()

    class Never(Hidden):
        seconds = 1e6

    run(Never, patience=lambda: clock.patience(30.0))
    assert clock.monotonic() <= 2 * 30.0


# What it does not allow


class IgnoresTheCheck(EzCards):
    async def answer(self, call):
        body = call.json
        if call.creates and isinstance(body, dict):
            body.pop("enableClientOrderNumberDupCheck", None)
            call = call.sending(body)
        return await self.ask(call)


class ChecksAlways(EzCards):
    """Refuses a number that was used before, whatever the flag says."""

    def __init__(self, inner):
        super().__init__(inner)
        self.used = set()

    async def answer(self, call):
        number = call.json.get("clientOrderNumber") if call.creates and isinstance(call.json, dict) else None
        if number is not None and str(number) in self.used:
            return said(409, {"error": "CLIENT_ORDER_NUMBER_DUPLICATE"})
        answer = await self.ask(call)
        if number is not None and answer.accepts:
            self.used.add(str(number))
        return answer


class TakesMixedCurrencies(EzCards):
    """Takes the lines of an order in another currency than the first for lines of the first."""

    def __init__(self, inner):
        super().__init__(inner)
        self.currencies = {each["sku"]: each["currency"] for each in made().account.get("products")}

    async def answer(self, call):
        body = call.json
        lines = body.get("products") if call.creates and isinstance(body, dict) else None
        good = isinstance(lines, list) and all(
            isinstance(each, dict) and str(each.get("sku")) in self.currencies for each in lines
        )
        if not good or len({self.currencies[each["sku"]] for each in lines}) < 2:
            return await self.ask(call)
        own = [each["sku"] for each in lines]
        answer = await self.ask(call.sending(body | {"products": [each | {"sku": own[0]} for each in lines]}))
        if not answer.accepts:
            return answer
        told = answer.json
        for line, sku in zip(told["data"]["products"], own, strict=True):
            line["sku"] = sku
        return answer.saying(told)


class LineOffByACent(EzCards):
    def taken(self, call, body):
        line = body["data"]["products"][-1]
        line["totalPrice"]["amount"] = str(Decimal(plain(line["totalPrice"]["amount"])) + Decimal("0.01"))
        return body


class LongLinesOffByACent(EzCards):
    """Computes well until a line has many units."""

    def taken(self, call, body):
        order = body["data"]
        for line in order["products"]:
            if line["quantity"] >= 100:
                for money in (line["totalPrice"], order["grandTotal"]):
                    money["amount"] = str(Decimal(plain(money["amount"])) - Decimal("0.01"))
        return body


class TotalOffByACent(EzCards):
    def taken(self, call, body):
        total = body["data"]["grandTotal"]
        total["amount"] = str(Decimal(plain(total["amount"])) - Decimal("0.01"))
        return body


class TotalOfTheFirstLine(EzCards):
    def taken(self, call, body):
        body["data"]["grandTotal"] = body["data"]["products"][0]["totalPrice"]
        return body


def retold(order):
    """An order whose total is again that of its lines."""
    total = sum(Decimal(plain(each["totalPrice"]["amount"])) for each in order["products"])
    order["grandTotal"]["amount"] = str(total)


class DropsALine(EzCards):
    def taken(self, call, body):
        order = body["data"]
        if len(order["products"]) > 1:
            order["products"].pop()
            retold(order)
        return body


class DropsTheThirdLine(EzCards):
    def taken(self, call, body):
        order = body["data"]
        order["products"] = order["products"][:2]
        retold(order)
        return body


class MergesLines(EzCards):
    """Makes one line of all, with the product of the first."""

    def taken(self, call, body):
        first, *others = body["data"]["products"]
        for line in others:
            first["quantity"] += line["quantity"]
        first["totalPrice"]["amount"] = str(Decimal(plain(first["unitPrice"]["amount"])) * int(first["quantity"]))
        body["data"]["products"] = [first]
        retold(body["data"])
        return body


class RepeatsALine(EzCards):
    def taken(self, call, body):
        body["data"]["products"].append(body["data"]["products"][0])
        retold(body["data"])
        return body


class TransactionNumber(EzCards):
    def taken(self, call, body):
        body["data"]["transactionId"] = int(body["data"]["transactionId"])
        return body


class OneTransaction(EzCards):
    def taken(self, call, body):
        body["data"]["transactionId"] = "1"
        return body


class OneRequestId(EzCards):
    def taken(self, call, body):
        return body | {"requestId": "d2b1f6c0-0000-4000-8000-000000000000"}


class EveryFifthRequestId(EzCards):
    turn = count()

    def taken(self, call, body):
        return body | {"requestId": f"r-{next(self.turn) // 5 if next(self.turn) % 2 else uuid.uuid4()}"}


class Created(EzCards):
    def changed(self, call, answer):
        return type(answer)(201, answer.headers, answer.body) if call.creates and answer.accepts else answer


class Accepted(EzCards):
    def changed(self, call, answer):
        return type(answer)(202, answer.headers, answer.body) if call.creates and answer.accepts else answer


class ReadsQuantities(EzCards):
    """Takes a quantity that is no number for 1."""

    async def answer(self, call):
        body = call.json
        lines = body.get("products") if call.creates and isinstance(body, dict) else None
        for line in lines if isinstance(lines, list) else ():
            if isinstance(line, dict) and line.get("quantity") == "abc":
                line["quantity"] = 1
                call = call.sending(body)
        return await self.ask(call)


class Done(EzCards):
    """Answers new orders, and lists finished ones, with a status of its own."""

    def taken(self, call, body):
        body["data"]["status"] = "DONE"
        return body


class DoneLater(EzCards):
    def read(self, call, body):
        for order in body["data"]["items"] if call.lists else ():
            order["status"] = "DONE" if order["status"] == "COMPLETED" else order["status"]
        return body


class CompletedAtOnce(EzCards):
    def taken(self, call, body):
        body["data"]["status"] = "COMPLETED"
        return body


class FindsNothingByNumber(EzCards):
    def read(self, call, body):
        if call.lists and "clientOrderNumber" in call.query:
            body["data"] |= {"items": [], "total": 0}
        return body


class RefusesWith200(EzCards):
    def refused(self, call, answer):
        return said(200, answer.json) if answer.status != 401 else answer


class CommaForPoint(EzCards):
    """Writes amounts as in German."""

    def taken(self, call, body):
        def write(each):
            return each | {"amount": each["amount"].replace(".", ",")} if "amount" in each else each

        return everywhere(body, write)


class AmountsAreNumbers(EzCards):
    def taken(self, call, body):
        return everywhere(
            body, lambda each: each | {"amount": float(each["amount"].replace(",", ""))} if "amount" in each else each
        )


class KeepsRefused(EzCards):
    """Refuses a number that was used before, and makes the order all the same."""

    async def answer(self, call):
        answer = await self.ask(call)
        checked = isinstance(call.json, dict) and call.json.get("enableClientOrderNumberDupCheck") is True
        if call.creates and checked and answer.status in (400, 409):
            await self.ask(call.sending(call.json | {"enableClientOrderNumberDupCheck": False}))
        return answer


class ListsOpenly(EzCards):
    """Lists orders for anybody."""

    async def answer(self, call):
        if call.lists:
            call = call.with_header("x-api-key", CREDENTIALS["api_key"])
            call = call.with_header("authorization", f"Bearer {CREDENTIALS['access_token']}")
        return await super().answer(call)


class ComparesKeysLoosely(EzCards):
    """Compares API keys without their last character."""

    async def answer(self, call):
        key = call.header("x-api-key")
        known = CREDENTIALS["api_key"]
        if key is not None and key[:-1] == known[:-1]:
            call = call.with_header("x-api-key", known)
        return await super().answer(call)


class ListsRounded(EzCards):
    """Lists grand totals without their decimals."""

    def read(self, call, body):
        for order in body["data"]["items"] if call.lists else ():
            total = order["grandTotal"]
            total["amount"] = str(round(Decimal(plain(total["amount"]))))
        return body


class ListsQuantitiesOfOne(EzCards):
    def read(self, call, body):
        for order in body["data"]["items"] if call.lists else ():
            for each in order["products"]:
                each["quantity"] = 1
        return body


class ListsTheLastLine(EzCards):
    def read(self, call, body):
        for order in body["data"]["items"] if call.lists else ():
            order["products"] = order["products"][-1:]
        return body


class HasNoStatus(EzCards):
    def taken(self, call, body):
        del body["data"]["status"]
        return body


class TakesNothingForLines(EzCards):
    """Passes over lines that are no objects."""

    async def answer(self, call):
        body = call.json
        lines = body.get("products") if call.creates and isinstance(body, dict) else None
        if isinstance(lines, list) and any(isinstance(each, dict) for each in lines):
            call = call.sending(body | {"products": [each for each in lines if isinstance(each, dict)]})
        return await super().answer(call)


# Lists show what was stored: an answer that says otherwise differs from them (EZ-093).
BROKEN = [
    Broken(ListsOpenly, "EZ-130"),
    Broken(ComparesKeysLoosely, "EZ-004", "EZ-130", "EZ-132"),
    Broken(ListsRounded, "EZ-093"),
    Broken(ListsQuantitiesOfOne, "EZ-093"),
    Broken(ListsTheLastLine, "EZ-093"),
    Broken(HasNoStatus, "EZ-091"),
    Broken(TakesNothingForLines, "EZ-043", "EZ-109"),
    Broken(IgnoresTheCheck, "EZ-034"),
    Broken(KeepsRefused, "EZ-034"),
    Broken(ChecksAlways, "EZ-033", "EZ-031"),
    Broken(TakesMixedCurrencies, "EZ-060"),
    Broken(LineOffByACent, "EZ-121", "EZ-122", "EZ-093"),
    Broken(LongLinesOffByACent, "EZ-121"),
    Broken(TotalOffByACent, "EZ-122", "EZ-093"),
    Broken(TotalOfTheFirstLine, "EZ-122", "EZ-093"),
    Broken(DropsALine, "EZ-109", "EZ-093"),
    Broken(DropsTheThirdLine, "EZ-109"),
    Broken(MergesLines, "EZ-109", "EZ-093"),
    Broken(RepeatsALine, "EZ-109", "EZ-093"),
    Broken(TransactionNumber, "EZ-104", "EZ-033", "EZ-093", "EZ-094"),
    Broken(OneTransaction, "EZ-105", "EZ-031", "EZ-033", "EZ-093", "EZ-094", "EZ-132"),
    Broken(OneRequestId, "EZ-101"),
    Broken(EveryFifthRequestId, "EZ-101"),
    Broken(Created, "EZ-015"),
    Broken(Accepted, "EZ-015"),
    Broken(ReadsQuantities, "EZ-054", "EZ-109"),
    Broken(Done, "EZ-091", "EZ-090"),
    Broken(DoneLater, "EZ-095", "EZ-091"),
    Broken(CompletedAtOnce, "EZ-090"),
    Broken(FindsNothingByNumber, "EZ-094", "EZ-021"),
    Broken(CommaForPoint, "EZ-120", "EZ-121", "EZ-122"),
    Broken(AmountsAreNumbers, "EZ-106", "EZ-120", "EZ-121", "EZ-122"),
]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.id)
def test_a_broken_promise_is_found_under_its_requirement(broken, revision):
    done = run(broken.variant, revision=revision)
    assert overall(done) == "nonconformant"
    assert broken.requirement in red(done)
    # One cause is not blamed on requirements that were kept.
    assert red(done) - broken.allowed == set()


def test_refusals_in_disguise_are_found():
    """Errors with status 200 are answers that a client takes for orders (EZ-016)."""
    done = run(RefusesWith200)
    assert "EZ-016" in red(done)
    assert {"EZ-040", "EZ-054", "EZ-034"} <= red(done)


def test_what_is_said_of_a_number_used_before_is_the_refusal():
    """Not the list that is read afterwards (EZ-036)."""
    judgement = healthy().judgements["EZ-036/duplicate.answer"]
    assert judgement.policy == "refused (409)"
    assert all("CLIENT_ORDER_NUMBER_DUPLICATE" in each.got for each in judgement.findings)


def test_the_order_of_lines_in_lists_is_looked_at_when_they_are_there():
    """An order that is listed later is waited for before its lines are (EZ-110)."""
    clock = Clock()

    class Later(Hidden):
        seconds = 3.0

    Later.clock = staticmethod(clock.monotonic)
    done = run(Later, patience=clock.patience, selected=cases(made(), "EZ-110"))
    assert done.judgements["EZ-110/lines.order"].findings == ()


def test_facts_that_are_missing_are_named_as_the_account_file_names_them():
    facts = {**made().account.facts, "products": made().account.get("products")[:1]}
    facts = {key: each for key, each in facts.items() if not key.startswith(("sku_", "other_", "foreign_"))}
    made_for = suites.build(made().provider, Account(facts), CREDENTIALS)
    excluded = {case.id: case.excluded for case in made_for.cases}
    assert excluded["EZ-045/products.two"] == (
        "the account file has no sku_b, nor [[products]] with a currency of currency_a and a sku other than sku_a"
    )
    assert excluded["EZ-072/payWithCurrency.needed"] == (
        "the account file has no sku_foreign, nor [[products]] with a currency not among balance_currencies"
    )


# Money


class Till(EzCards):
    """
    Notes what each accepted order is charged, by the total that its buyer was told.

    ``listed`` is that in the currencies of the products, where orders were paid in another.
    """

    def __init__(self, inner):
        super().__init__(inner)
        self.charged, self.listed, self.orders, self.tried = Counter(), Counter(), 0, 0

    async def answer(self, call):
        self.tried += call.creates
        return await super().answer(call)

    def taken(self, call, body):
        total = body["data"]["grandTotal"]
        self.charged[total["currency"]] += Decimal(plain(total["amount"]))
        for line in body["data"]["products"]:
            price = line.get("unitPriceOriginal") or line["unitPrice"]
            self.listed[price["currency"]] += Decimal(plain(price["amount"])) * Decimal(str(line["quantity"]))
        self.orders += 1
        return body


def told(amounts):
    """Amounts as the report has them."""
    return {currency: f"{amount:.2f}" for currency, amount in sorted(amounts.items())}


class Tills:
    """Makes one, and keeps it."""

    def __call__(self, app):
        self.till = Till(app)
        return self.till


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_what_was_spent_is_what_was_charged(revision, strict):
    around = Tills()
    done = run(around, revision=revision, strict=strict)
    counts = report(done)["counts"]
    assert counts["spent"] == told(around.till.charged)
    assert counts["orders_created"] == around.till.orders


def test_orders_paid_in_another_currency_are_told_in_that():
    """What leaves a wallet is the total of the answer, not the price of the list."""
    around = Tills()
    chosen = cases(made(), "EZ-070", "EZ-073", "EZ-076")
    done = run(around, selected=chosen)
    assert around.till.charged != around.till.listed
    assert report(done)["counts"]["spent"] == told(around.till.charged)


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_was_spent_is_told_where_values_are_read_leniently(revision):
    """Money is spent on an order that nobody was sure would be taken, too."""
    tills = Tills()
    done = run(lambda app: tills(ReadsLeniently(app)), revision=revision)
    assert report(done)["counts"]["spent"] == told(tills.till.charged)


def account_file(folder, **changes):
    """The pack's account with other values; None leaves a key out."""
    lines = ACCOUNT.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("[["))
    top = [line for line in lines[:at] if line.partition(" =")[0] not in changes]
    top += [f"{key} = {json.dumps(value)}" for key, value in changes.items() if value is not None]
    path = Path(folder) / "account.toml"
    path.write_text("\n".join([*top, *lines[at:]]) + "\n", encoding="utf-8")
    return path


def limited(limit, around=lambda app: app, **more):
    """A run with an account that may spend so much, and its till."""
    facts = made("seed").account.facts | {"max_spend": limit}
    small = suites.build(made("seed").provider, Account(facts), CREDENTIALS)
    tills = Tills()
    return run_any(small, lambda app: tills(around(app)), **more), tills.till


@pytest.mark.parametrize("limit", [13, 30, 100, "250.50", 1250])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_limit_is_never_exceeded(limit, concurrency):
    """What is left out says so, and the run is inconclusive, with no violation."""
    done, till = limited(limit, concurrency=concurrency)
    assert till.charged.total() <= Decimal(limit)
    assert report(done)["counts"]["spent"] == told(till.charged)
    assert overall(done) == "inconclusive"
    assert "violation" not in {each[0] for each in unhappy(done).values()}
    reasons = {each.reason for each in done.judgements.values()} | {done.stopped}
    assert any("max_spend" in each for each in reasons)


def test_nobody_waits_for_money(monkeypatch):
    """Controls that there is no money for are not tried again and again."""
    slept = []
    monkeypatch.setattr(guard, "time", SimpleNamespace(sleep=slept.append))
    done, _ = limited(30)
    assert "max_spend" in done.stopped
    assert sum(slept) <= 1


@pytest.mark.parametrize("around", [ReadsLeniently, ReadsQuantities], ids=lambda each: each.__name__)
def test_what_the_suite_did_not_expect_to_be_taken_is_limited_too(around):
    """A limit that would just do for the healthy endpoint: whoever takes more for an order is paid no more."""
    limit = sum(Decimal(each) for each in report(healthy("seed"))["counts"]["spent"].values())
    _, till = limited(str(limit), around)
    assert till.charged.total() <= limit


def test_nothing_that_costs_is_sent_once_the_limit_is_reached():
    """A limit below the price of one order lets nothing through at all."""
    done, till = limited("12.49")
    assert (till.tried, till.orders) == (0, 0)
    assert overall(done) == "inconclusive"
    assert "max_spend" in done.stopped


def test_an_account_file_limits_what_is_spent(run_pytest, tmp_path):
    """Over HTTP, as a user sees it: the endpoint was charged no more, and the output says what was left out."""
    path, tills = account_file(tmp_path, max_spend=100), Tills()
    with served(made(), tills) as url:
        arguments = (f"--provider={NAME}", f"--endpoint={url}", f"--account={path}", "--report=out", "--tb=line")
        outcome = run_pytest(tmp_path, *arguments, env=ENVIRONMENT)
    assert outcome.ret == 1
    assert 0 < tills.till.charged.total() <= 100
    assert outcome.report["verdict"] == "inconclusive"
    assert outcome.report["run"]["complete"] is False
    assert outcome.report["counts"]["spent"] == told(tills.till.charged)
    assert "violation" not in outcome.report["counts"]["cases"]
    assert "max_spend = 100" in outcome.out


def test_prices_and_limits_that_are_no_amounts_are_told(run_pytest, tmp_path):
    text = ACCOUNT.read_text(encoding="utf-8").replace('"12.50"', '"twelve"')
    (tmp_path / "account.toml").write_text(text, encoding="utf-8")
    outcome = run_pytest(tmp_path, f"--provider={NAME}", "--account=account.toml")
    assert outcome.ret == 4
    assert "'twelve' is no amount" in "".join(outcome.errors())
    assert "Traceback" not in outcome.text


def forecast(outcome):
    line = next(each for each in outcome.lines if each.startswith(f"{NAME}: a run would send"))
    return {currency: Decimal(amount) for currency, amount in re.findall(r"\b([A-Z]{3}) ([0-9.]+)", line)}


def test_a_run_says_beforehand_what_it_would_spend(run_pytest, tmp_path):
    """--collect-only sends nothing, and ends with the price of everything but the controls."""
    path, tills = account_file(tmp_path), Tills()
    with served(made(), tills) as url:
        arguments = (f"--provider={NAME}", f"--endpoint={url}", f"--account={path}", "--collect-only", "-q")
        outcome = run_pytest(tmp_path, *arguments, env=ENVIRONMENT)
    assert outcome.ret == 0
    assert tills.till.tried == 0
    spent = {key: Decimal(each) for key, each in report(healthy())["counts"]["spent"].items()}
    told = forecast(outcome)
    # Told by the price list; what is settled in another currency is paid in that.
    assert set(told) >= set(spent)
    # Beside the plan stand the controls, of which each buys a product.
    controls = report(healthy())["counts"]["controls"] * Decimal("12.50")
    assert sum(told.values()) + controls >= sum(spent.values())
    assert told["USD"] + controls >= spent["USD"]


def test_a_run_of_one_case_says_what_that_would_spend(run_pytest, tmp_path):
    outcome = run_pytest(
        tmp_path, f"--provider={NAME}", "--collect-only", "-q", "--case=EZ-057/products.quantity.large"
    )
    assert forecast(outcome) == {"USD": Decimal("1250.00")}
    outcome = run_pytest(
        tmp_path, f"--provider={NAME}", "--collect-only", "-q", "--case=EZ-061/products.of-another-wallet"
    )
    assert forecast(outcome) == {"EUR": Decimal("19.95")}


@pytest.mark.parametrize(
    ("allowed", "needed"),
    [((), "orders,money"), (("--allow=orders",), "orders,money"), (("--allow=money",), "orders,money")],
)
def test_money_needs_a_permission_of_its_own(run_pytest, tmp_path, allowed, needed):
    """Nobody is asked: the name belongs to no host."""
    arguments = (f"--provider={NAME}", "--endpoint=https://shop.invalid/v2", f"--account={account_file(tmp_path)}")
    outcome = run_pytest(tmp_path, *arguments, *allowed, env=ENVIRONMENT)
    assert outcome.ret == 4
    error = "".join(outcome.errors())
    assert "money" in error
    assert f"--allow={needed}" in error
    assert "Traceback" not in outcome.text


def test_the_production_host_needs_one_more(run_pytest, tmp_path):
    arguments = (f"--provider={NAME}", "--endpoint=https://api.ezcards.io/v2", f"--account={account_file(tmp_path)}")
    outcome = run_pytest(tmp_path, *arguments, "--allow=orders,money", "--collect-only", env=ENVIRONMENT)
    assert outcome.ret == 4
    assert "--allow=orders,money,production" in "".join(outcome.errors())


# What was bought


def showing(*codes, broken=False):
    class Showing(EzCards):
        """Shows codes of its own as soon as an order is filled."""

        shown = count()

        def read(self, call, body):
            if not call.path.endswith("/codes"):
                return body
            for line in body["data"]:
                for unit in line["codes"]:
                    unit["redeemCode"], unit["pinCode"] = codes[0], codes[1]
                    unit["status"] = "SOLD" if broken else unit["status"]
                    next(self.shown)
            return body

    return Showing


CODES = [
    ("RDM-8H2K-77QX-ZZ01", "9274461"),
    ('RDM 8H2K "77QX" \\ ZZ01', 9274461),
    ("https://redeem.example.com/c/8H2K77QXZZ01?x=1&y=ü", "0009274461"),
    (8274461093355172, 9274461),
]


def traces(outcome, *secrets):
    """The places in which a secret, in any of the ways to write it, can be read."""
    texts = {"stdout": outcome.out, "stderr": outcome.err}
    texts |= {str(path): path.read_text("utf-8", "replace") for path in outcome.folder.rglob("*") if path.is_file()}
    assert any(name.endswith("report.json") for name in texts)
    forms = {
        form for each in secrets for form in (str(each), json.dumps(each)[1:-1], json.dumps(json.dumps(each))[1:-1])
    }
    return [(name, form) for name, text in texts.items() for form in forms if form in text]


@pytest.mark.parametrize("broken", [False, True], ids=["healthy", "broken"])
@pytest.mark.parametrize("codes", CODES, ids=lambda each: str(each[0])[:8])
def test_codes_and_pins_are_written_nowhere(run_pytest, tmp_path, codes, broken):
    """Neither in the report nor in failures, which repeat what was answered."""
    around = showing(*codes, broken=broken)
    with served(made(), around) as url:
        arguments = (f"--provider={NAME}", f"--endpoint={url}", f"--account={account_file(tmp_path)}", "--report=out")
        more = ("-vv", "-rA", "--tb=long", "--showlocals", "--junitxml=junit.xml", "-k", "EZ-132")
        outcome = run_pytest(tmp_path, *arguments, *more, env=ENVIRONMENT)
    assert next(around.shown) > 0
    assert outcome.verdicts["EZ-132/codes.of-an-order"] == ("violation" if broken else "conformant")
    assert traces(outcome, *codes) == []
    assert "hidden" in json.dumps(outcome.report)
