"""The page about both sides: one table a provider, what was done, and how to read it."""

from __future__ import annotations

import platform
from importlib.metadata import version

from detection_ours import CLASSES, FOUND


def table(made) -> str:
    """The table of one provider by class of fault, with its costs and false alarms."""
    rows, sample = made["rows"], made["sample"]
    taken = "every fault" if sample == 1 else f"a sample: one of {sample} faults of each class"
    heads = ["", "faults", "suite", *(f"suite, `--budget={each}`" for each in made["budgets"])]
    heads += ["Schemathesis, coverage", "Schemathesis, best"]
    lines = [f"### {made['provider']}", "", f"{len(rows)} faults: {taken}.", "", _line(*heads)]
    lines.append("|---" + "|--:" * (len(heads) - 1) + "|")
    parts = [(meaning, [each for each in rows if each.kind == name]) for name, meaning in CLASSES.items()]
    strict = [each for each in rows if each.ours[0] != "advisory"]
    for meaning, own in [*parts, ("**all**", rows), ("**all that are violations**", strict)]:
        if own:
            lines.append(_line(meaning, len(own), *(_share(own, side) for side in _sides(made))))
    return "\n".join([*lines, *_costs(made), "", *_notes(made), ""])


def _sides(made) -> list:
    """What each column counts: a function from a row to whether that side found the fault."""
    ours = [lambda row, at=at: row.ours[at] in FOUND for at in range(len(made["budgets"]) + 1)]
    return [*ours, lambda row: row.phase == "coverage", lambda row: bool(row.phase)]


def _line(*cells) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _share(rows, side) -> str:
    """How many of some rows a side finds, in per cent too, which are 100 for no less than all."""
    count = sum(map(side, rows))
    return f"{count} ({1000 * count // len(rows) / 10:g} %)"


def _costs(made) -> list[str]:
    counts, seconds = made["phases"]
    other = [counts.get("coverage", 0), sum(counts.values())], [seconds.get("coverage", 0.0), sum(seconds.values())]
    alarms = made["alarms"].values()
    ours = sum(len(each["ours"]) for each in alarms)
    both = len({text for each in alarms for text in each["other"]})
    blank = [""] * len(made["budgets"])
    return [
        _line("requests of a run", "", *(each[0] for each in made["ours"]), *other[0]),
        _line("its seconds", "", *(f"{each[1]:.1f}" for each in made["ours"]), *(f"{each:.1f}" for each in other[1])),
        _line(f"false alarms on {len(alarms)} healthy variants", "", ours, *blank, "", both),
    ]


def _notes(made) -> list[str]:
    rows, ours = made["rows"], _sides(made)[0]
    ways = {word: sum(each.ours[0] == word for each in rows) for word in FOUND[1:]}
    told = ", ".join(f"{count} {word}" for word, count in ways.items() if count)
    lines = (
        [f"Of what the whole suite finds: {told}; all else violations of the fault's own requirement.", ""]
        if told
        else []
    )
    missed = [each for each in rows if not ours(each)]
    if missed:
        lines += [f"Not found by the suite: {', '.join(f'`{each.fault}` ({each.ours[0]})' for each in missed)}.", ""]
    only = [f"`{each.fault}`" for each in missed if each.phase]
    if only:
        lines += [f"Of these, Schemathesis finds {', '.join(only)}.", ""]
    said = sorted({text for each in made["alarms"].values() for text in each["other"]})
    if said:
        lines += [f"Schemathesis says of healthy variants: {'; '.join(said)}.", ""]
    told = made["fidelity"]
    return [
        *lines,
        f"Genuine runs of its engine against {len(told)} of the faults agree with the table in {sum(told.values())}.",
    ]


def page(told, arguments) -> str:
    """The whole page."""
    return _PAGE.format(
        tables="\n".join(table(each) for each in told),
        command=" ".join(["python benchmarks/detection.py", *arguments]),
        schemathesis=version("schemathesis"),
        hypothesis=version("hypothesis"),
        python=platform.python_version(),
        took=", ".join(f"{each['provider']} {each['took'] / 60:.0f} minutes" for each in told),
    )


_PAGE = """\
# How many faults are found

Who tests the tests? The reference endpoint of each pack can break one documented rule at a time. Here this suite and
[Schemathesis](https://schemathesis.io), the best general tool for HTTP APIs, try the same faults and the same healthy
endpoints in one run. `python -m conformance.reference.detection PROVIDER` tells more of the suite alone: see
[detection/](detection) for every fault by its requirement.

Made by

```console
$ pip install -e '.[dev]' && {command}
```

with Schemathesis {schemathesis}, Hypothesis {hypothesis} and Python {python} on two cores that had other work as well, so
that seconds compare with each other and with nothing else ({took}).

## What is counted

- **Faults** are made from the documentation, not from either tool: every constraint of a request dropped, off by the least
  step to either side, every optional member refused, every documented member of an answer left out, renamed or of another
  type, and the rules in prose, broken by hand. Each of them changes at least one answer of a run; those that no
  request of a user can show are left out.
- **The suite finds** a fault when the run is no longer conformant, or has an advisory finding: a violation of the fault's
  own requirement or of another one (*elsewhere*), an advisory finding, or a run that stops because the plain valid batch is
  refused (*control*) or nothing becomes readable (*inconclusive*). What is merely *observed* does not count.
- **Violations** are all faults but those of which the whole suite merely advises: nulls taken for optional members, and
  JSON that is none but that parsers in wide use take. Nobody's orders fail for these, so a small budget leaves them out.
- **Schemathesis finds** a fault when one of its requests fails a check that the same request does not fail on the healthy
  endpoint. That is generous: whoever has no healthy endpoint beside the faulty one cannot subtract.
- **False alarms** are what a side says of endpoints that do what is documented, in ways of their own: requirements for the
  suite, kinds of failed check by operation for Schemathesis.
- **Requests and seconds** are of one run against the healthy endpoint, in-process on both sides, without start-up.

## How Schemathesis is run

With the best settings that were found: examples, coverage and fuzzing phases, positive and negative data, every check on,
credentials given. The stateful phase is off: no document of a pack has links. It reads
the OpenAPI document that `conformance openapi` composes from the pack, with what a diligent user adds: identifiers and
products that the account knows, and dates near now, since orders that are too old are refused.

What it generates does not hang on a fault. So its engine runs once, and each request goes to every faulty endpoint as the
same bytes; its own checks judge each answer that differs. Some faults are also tried by untouched runs of its
engine, as the last line below each table says. *Coverage* is that phase alone, *best* all of them.

## Results

{tables}
## How to read this

- Where all that matters stands in a JSON Schema, Schemathesis's coverage phase is nearly as good as this suite, and needs no
  pack for it. It has no requirement to name: a failed check says which request, not which sentence.
- Most of what it misses lies outside schemas: limits of batches, the position of an order, storage, prices, money, rules in
  prose, and formats that are looked at only roughly.
- Under Centra's named envelope refusals come with status 200. A tool that judges by status takes them for acceptances:
  on the healthy endpoint it already fails with most invalid data, and with a fault nothing changes. What it
  still finds there are answers that break their schema. That column is not a comparison of equals.
- Both sides know the pack. Faults of endpoints that no pack describes are found by neither.
"""
