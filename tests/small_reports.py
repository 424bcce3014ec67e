"""Reports made by hand, as small as can be, and hostile ones: for tests of what is made from a report."""

import copy
from collections import Counter

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script></style></code></td>",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "\u202egnp.exe \u2066\u200b\ufeff",
    "`` ` ```\n\n```sh\n# head\n\n| a | b |\n|---|---|\n- item\n\n    code",
    "a|b\\|c\\\\|d",
    "@everyone #1 GH-1 www.evil.example https://evil.example a@evil.example :smile:",
    "[l](http://evil.example) ![i](http://evil.example/i.png) [r]: http://evil.example",
    "]]> --> &lt;b&gt; &#60;b&#62; <![CDATA[ <!-- ",
    "\x00\x08\x0b\ud800\uffff\ufffe\x85\u2028",
    "__proto__ {{ 7*7 }} {% raw %} ${7*7} $$x$$ *b* _i_ ~~s~~ \\",
    "x" * 5_000_000,
)
TIME = "2026-11-20T02:00:00.000Z"


def case(name, verdict, **more):
    """A case with what its verdict needs."""
    row = {
        "id": name,
        "expectation": "observe" if verdict == "observed" else "refuse",
        "effect": {"orders": 0},
        "verdict": verdict,
        "change": [],
        "findings": [],
        "exchange_ids": [],
        "order_index": None,
    }
    if verdict in ("violation", "advisory"):
        row["findings"] = [{"where": "response status", "expected": "a refusal (4xx)", "got": "201 text/plain hello"}]
        row["exchange_ids"] = ["x0001"]
        row["change"] = [{"op": "replace", "path": "/0/order_number", "value": ""}]
    elif verdict == "observed":
        row |= {"found": "accepted (201)", "exchange_ids": ["x0001"]}
    elif verdict == "conformant":
        row["exchange_ids"] = ["x0002"]
    else:
        row["reason"] = "the account file has no such fact"
    return row | more


def requirement(name, verdict, level="must", cases=None):
    row = {
        "id": name,
        "level": level,
        "area": "order",
        "title": f"The sentence of {name}.",
        "source": f"docs, section {name}",
        "verdict": verdict,
        "cases": [] if verdict == "untested" else cases or [case(f"{name}/one", verdict)],
    }
    if verdict == "untested":
        row["untestable"] = "it cannot be seen from outside"
    return row


def _exchange(status):
    return {
        "operation": "create-orders",
        "request": {"method": "POST", "path": "/orders", "query": "", "headers": [], "body": "[]"},
        "response": {"status": status, "headers": [["content-type", "text/plain"]], "body": "hello"},
        "sent_at": TIME,
        "duration_ms": 12.5,
    }


def report(*requirements, verdict="conformant", provider="acme", started_at=TIME, **more):
    """A report of these requirements."""
    rows = list(requirements) or [requirement("AC-001", "conformant")]
    made = {
        "format": "conformance-report/1",
        "suite": {"name": "bulk-order-conformance", "version": "0.1.0"},
        "provider": {"name": provider, "title": f"{provider} orders", "revision": "v1", "pack_sha256": "0" * 64},
        "target": {"kind": "live", "url": f"https://sandbox.{provider}.example/v1", "strict": False},
        "run": {
            "id": "abc123-20261120T020000Z",
            "started_at": started_at,
            "finished_at": TIME,
            "seed": 1,
            "complete": True,
            "selection": "all",
            "allowed": ["orders"],
            "expected_cases_sha256": "0" * 64,
            "control": "plain",
            "stopped": "",
            "left": [],
        },
        "account": {"warehouse": "W1"},
        "verdict": verdict,
        "policy": {},
        "questions": {},
        "counts": {
            "requirements": Counter(row["verdict"] for row in rows),
            "cases": Counter(each["verdict"] for row in rows for each in row["cases"]),
            "requests": 2,
            "requests_by_operation": {"create-orders": 2},
            "controls": 0,
            "orders_created": 1,
            "read_backs": 0,
            "clean_up": 0,
            "spent": {},
        },
        "requirements": rows,
        "exchanges": {"x0001": _exchange(201), "x0002": _exchange(400)},
        "not_run": [],
    }
    return made | more


def hostile(made, text):
    """A report in which ``text`` stands wherever words come from an endpoint, an account, a recording or a pack."""
    made = copy.deepcopy(made)
    made["policy"] = {"batch": text, f"question {text[:2000]}": text, **made["policy"]}
    made["provider"]["title"] = text
    made["provider"]["revision"] = text
    made["run"] |= {"left": [text], "stopped": text, "id": text}
    made["account"] = {text[:2000]: text}
    made["not_run"] = [{"id": text, "reason": text}]
    made["deviations"] = [{"id": text, "reason": text, "status": "expired", "cases": [text]}]
    for row in made["requirements"]:
        row |= {"title": text, "source": text, "area": text}
        if "untestable" in row:
            row["untestable"] = text
        for each in row["cases"]:
            each["id"] = f"{row['id']}/{text}"
            each["findings"] = [{"where": text, "expected": text, "got": text} for _ in each["findings"]]
            each |= {key: text for key in ("reason", "found", "why", "site") if key in each}
            for change in each["change"]:
                change |= {"path": f"/{text}", "value": {text[:2000]: text}}
    for each in made["exchanges"].values():
        each["response"]["body"] = text
        each["response"]["headers"] = [["x-evil", text]]
    return made
