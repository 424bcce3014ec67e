"""
What may go wrong, step by step.

====================  =============================================  =====================
step                  what may go wrong                              raised or recorded as
====================  =============================================  =====================
reading options       unknown provider, bad URL, missing variable    UserError (exit 4)
reading account file  unreadable, misspelt key, wrong type           UserError (exit 4)
loading a pack        misspelt key, dangling id, bad schema          PackError (exit 4)
asking permission     host needs ``--allow``                         UserError (exit 4)
sending               refused connection, time-out, broken answer    Trouble in the exchange
judging               none: a pure function of what was exchanged    a verdict
====================  =============================================  =====================

Trouble on the network is never raised past the transport: it is a fact about an
exchange and ends as *inconclusive*. Anything else that escapes is our own bug.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class UserError(Exception):
    """The user can put this right: one line that says what, where and what to do."""


class PackError(UserError):
    """A provider pack contradicts itself or its meta-schema."""


def nearest(word: str, known: Iterable[str]) -> str:
    """
    A hint that names the known word nearest to ``word``, or lists all of them.

    >>> nearest("sendclud", ["atlast", "sendcloud"])
    "did you mean 'sendcloud'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if names else "none is known"
