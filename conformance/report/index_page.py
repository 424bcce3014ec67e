"""The page over many bundles, from its template."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import jinja2

if TYPE_CHECKING:
    from conformance.report.index import Index


def render(index: Index, questions: dict[str, str]) -> str:
    """The page; what is not from the template is escaped, and a policy for its contents forbids scripts and loading."""
    style = _file("index_page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(
        index=index,
        questions=questions,
        style=style,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        runs=sum(len(runs) for day in index.days.values() for runs in day.values()),
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_file("index_page.html"))


def _file(name: str) -> str:
    return files("conformance.report").joinpath(name).read_text(encoding="utf-8")
