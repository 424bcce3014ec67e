"""Options: declared politely, and settled once in the order command line, ini file, default."""

from __future__ import annotations

import copy
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import argparse

    from conformance.target import Options


@dataclass(frozen=True, slots=True)
class Option:
    """One option: ``--name``, ``--conformance-name`` and the ini key ``conformance_name``."""

    name: str
    help: str
    metavar: str = ""
    action: str = "store"
    number: type[int | float] | None = None

    @property
    def dest(self) -> str:
        """The attribute and ini key."""
        return "conformance_" + self.name.replace("-", "_")


_LONGEST_CHALLENGE = 200
OPTIONS = (
    Option("provider", "run the conformance suite of these providers, or of all", "NAME[,NAME…]"),
    Option("endpoint", "base URL of the endpoint under test; default: the embedded reference endpoint", "URL"),
    Option("account", "TOML file with the account's business facts", "FILE"),
    Option("case", "run exactly this case, with its control and twin (repeatable)", "ID", "append"),
    Option("report", "write the report into this folder", "DIR"),
    Option("revision", "revision of the documentation to hold the endpoint to", "NAME"),
    Option("seed", "seed of all generated data (default: 1)", "N", number=int),
    Option("concurrency", "so many independent requests in flight (default: 1, or what the pack says of its own hosts)", "N", number=int),
    Option("max-rps", "at most so many requests a second", "X", number=float),
    Option("request-timeout", "seconds to wait for one answer (default: 30)", "SECONDS", number=float),
    Option("visibility-timeout", "seconds to wait until an accepted order is readable (default: 60)", "SECONDS", number=float),
    Option("budget", "send at most so many requests, those first that judge most", "N", number=int),
    Option("explore", "also try so many examples that Schemathesis makes up (needs the extra explore)", "N", number=int),
    Option("resume", "take up again the interrupted run whose report folder this is", "DIR"),
    Option("no-pack", "send every case in a request of its own", action="store_true"),
    Option("allow", "effects allowed outside loopback: orders, money, email, load, production", "LIST"),
    Option("max-orders", "stop before more than so many orders were created", "N", number=int),
    Option("ca-bundle", "PEM file with issuers of certificates to trust beside the system's", "FILE"),
    Option("client-cert", "PEM file with the certificate to show to the endpoint", "FILE"),
    Option("client-key", "PEM file with its private key; default: the same file", "FILE"),
    Option("header", "extra request header 'Name: value' (repeatable)", "HEADER", "append"),
    Option("deviations", "TOML file of known deviations with reasons, run as strict expected failures", "FILE"),
    Option("fail-on", "'advisory': advisory findings fail too", "LEVEL"),
    Option("record-mode", "none (replay, without a network), once, new_episodes, all or rewrite", "MODE"),
    Option("cassettes", "folder of the recordings; default: those shipped with the suite, when replaying", "DIR"),
    Option("max-cassette-age", "fail when a recording that is replayed is older", "DAYS", number=float),
    Option("signing-key", "sign the report's attestation with this key (PEM; conformance keygen makes one)", "FILE"),
    Option("challenge", "make the run token depend on this text of a certifier", "TEXT"),
    Option("reference-strict", "let the embedded endpoint refuse what the documentation is silent about", action="store_true"),
    Option("reference-delay", "let the embedded endpoint take so long to store an order", "SECONDS", number=float),
)  # fmt: skip


def declare(parser: pytest.Parser) -> None:
    """Declare every option under its long name, and under the short one where that is free."""
    group = parser.getgroup("conformance", "conformance of bulk-order APIs")
    taken = _taken(parser)
    for option in OPTIONS:
        settings: dict[str, Any] = {"dest": option.dest, "default": None, "action": option.action}
        if option.action != "store_true":
            settings |= {"metavar": option.metavar}
        names = [f"--{option.name}", f"--conformance-{option.name}"]
        free = [name for name in names if name not in taken]
        if free:
            group.addoption(*free, help=option.help, **settings)
        kind = {"append": "linelist", "store_true": "bool"}.get(option.action, "string")
        parser.addini(option.dest, option.help, type=kind, default=None)  # type: ignore[arg-type]


def _taken(parser: pytest.Parser) -> set[str]:
    """The option strings that somebody declared already; pytest tells only by failing, and that too late."""
    found: set[str] = set(getattr(parser, "_opt2dest", {}))
    groups = [*getattr(parser, "_groups", ()), getattr(parser, "_anonymous", None)]
    for group in groups:
        for option in getattr(group, "options", ()):
            found.update(option.names())
    actions: list[argparse.Action] = getattr(getattr(parser, "optparser", None), "_actions", [])
    for action in actions:
        found.update(action.option_strings)
    return found


def asks_for_suite_alone(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> bool:
    """Whether a run, before its command line was read for good, is about our suite and no path of the user's own."""
    if not _in_file(config, "conformance_provider") and not any("provider" in each for each in args):
        return False
    given = parser.parse_known_args(args, namespace=copy.copy(config.option))
    named = _names(given.conformance_provider or _in_file(config, "conformance_provider") or "")
    return bool(named) and not split(given.file_or_dir, named)[1]


def split(args: list[str], named: list[str]) -> tuple[list[str], list[str]]:
    """The node ids of ours among the arguments of a command line, and those of others."""
    ours = [each for each in args if each.partition("::")[0] in named]
    return ours, [each for each in args if each not in ours]


def value(config: pytest.Config, name: str) -> Any:
    """
    An option as the user gave it: command line first, then the ini file; None when neither says it.

    Raises UsageError for an empty value on the command line, which an unset variable of a
    shell leaves behind: with an empty endpoint the wrong one would be tested.
    """
    option = next(each for each in OPTIONS if each.name == name)
    given = getattr(config.option, option.dest, None)
    if isinstance(given, str) and not given.strip(" ,"):
        raise pytest.UsageError(f"--{name} is empty; give it a value or leave it out")
    if given is None:
        given = _in_file(config, option.dest)
    if given in (None, "", []):
        return None
    if option.number is not None:
        return _number(option, given)
    return given


def _in_file(config: pytest.Config, dest: str) -> Any:
    """A value from the ini file; in the native TOML form of newer pytests, numbers need no quotes."""
    try:
        return config.getini(dest)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raw = getattr(config, "_inicfg", {}).get(dest)
        plain = getattr(raw, "value", raw)
        if isinstance(plain, int | float) and not isinstance(plain, bool):
            return str(plain)
        text = str(error)
        raise pytest.UsageError(text if dest in text else f"{dest}: {text}") from None


def _number(option: Option, given: str) -> int | float:
    assert option.number is not None
    try:
        number = option.number(given)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise pytest.UsageError(f"--{option.name}={given}: not a number; write for example --{option.name}=10")
    return number


def providers_named(config: pytest.Config) -> list[str]:
    """The providers asked for, in order; ``all`` stands for every pack."""
    if not hasattr(config.option, "conformance_provider"):
        return []  # declared nowhere: somebody switched the hook off
    return _names(value(config, "provider") or "")


def _names(text: str) -> list[str]:
    names = [each.strip() for each in text.split(",") if each.strip()]
    if "all" in names:
        from conformance import resources

        return list(resources.providers())
    return list(dict.fromkeys(names))


def settle(config: pytest.Config, provider: str) -> Options:
    """The options of one provider's run. Raises UsageError or UserError for a bad value."""
    from conformance.patience import LIMIT_S
    from conformance.safety import parse_allowed
    from conformance.target import DEFAULT_SEED, Options
    from conformance.transport import Files

    seed = value(config, "seed")
    return Options(
        provider=provider,
        endpoint=value(config, "endpoint") or "",
        account=value(config, "account") or "",
        revision=value(config, "revision") or "",
        seed=DEFAULT_SEED if seed is None else seed,
        concurrency=_positive(config, "concurrency", 0),
        budget=_positive(config, "budget", 0),
        explore=_positive(config, "explore", 0),
        resume=value(config, "resume") or "",
        max_rps=_positive(config, "max-rps", 0.0),
        timeout=_positive(config, "request-timeout", 30.0),
        pack=not value(config, "no-pack"),
        allowed=parse_allowed(value(config, "allow") or ""),
        max_orders=_positive(config, "max-orders", 0),
        headers=tuple(_header(each) for each in value(config, "header") or ()),
        files=Files(*(value(config, each) or "" for each in ("ca-bundle", "client-cert", "client-key"))),
        patience=_positive(config, "visibility-timeout", LIMIT_S),
        strict=bool(value(config, "reference-strict")),
        delay=_positive(config, "reference-delay", 0.0),
        record_mode=record_mode(config),
        cassettes=value(config, "cassettes") or "",
        max_cassette_age=_age(config),
        challenge=_challenge(config),
    )


def record_mode(config: pytest.Config) -> str:
    """
    The record mode, or an empty text.

    Where pytest-recording is installed ``--record-mode`` is its own, and is read here: it means the same.
    """
    own = value(config, "record-mode")
    if own:
        return str(own)
    if config.pluginmanager.hasplugin("recording"):
        return str(getattr(config.option, "record_mode", None) or "")
    return ""


def _challenge(config: pytest.Config) -> str:
    given = str(value(config, "challenge") or "")
    if len(given) > _LONGEST_CHALLENGE or not given.isprintable():
        raise pytest.UsageError(f"--challenge: at most {_LONGEST_CHALLENGE} printable characters")
    return given


def _age(config: pytest.Config) -> float | None:
    given = value(config, "max-cassette-age")
    if given is not None and given < 0:
        raise pytest.UsageError(f"--max-cassette-age={given:g}: must not be less than 0")
    return None if given is None else float(given)


def _positive(config: pytest.Config, name: str, default: Any) -> Any:
    given = value(config, name)
    if given is None:
        return default
    if given <= 0:
        raise pytest.UsageError(f"--{name}={given}: must be more than 0")
    return given


def _header(text: str) -> tuple[str, str]:
    """A header as the user wrote it. What is wrong with one is told without repeating it: it may hold a secret."""
    name, colon, content = text.partition(":")
    name, content = name.strip(), content.strip()
    if not colon:
        raise pytest.UsageError("--header: there is no colon in it; write 'Name: value'")
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise pytest.UsageError("--header: what stands before the colon is not a header's name; write 'Name: value'")
    if not re.fullmatch(r"[\t\x20-\x7e\xa0-\xff]*", content):
        raise pytest.UsageError(f"--header: the value of {name} has characters that no header can carry")
    return name.lower(), content
