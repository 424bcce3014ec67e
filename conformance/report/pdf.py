"""The HTML report as PDF, through WeasyPrint, which an extra brings."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

from conformance.errors import UserError

if TYPE_CHECKING:
    from types import ModuleType


def render(html: str) -> bytes:
    """
    A page of HTML as PDF. Nothing is fetched from files or the network: the page has to carry what it shows.

    Raises UserError when WeasyPrint, or a library of the system that it needs, is not there.
    """
    weasyprint = _weasyprint()
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=("data",))
    document = weasyprint.HTML(string=html, url_fetcher=fetcher)
    made: bytes = document.write_pdf()
    return made


def _weasyprint() -> ModuleType:
    # It prints a paragraph of advice before it fails; the one line below takes its place.
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            import weasyprint  # noqa: PLC0415  # an extra, and slow to load
        except ImportError:
            raise UserError("a PDF needs WeasyPrint: pip install 'bulk-order-conformance[pdf]'") from None
        except OSError as error:
            raise UserError(
                f"a PDF needs the text libraries of the system ({error}); on Debian:"
                " apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
            ) from None
    module: ModuleType = weasyprint
    return module
