"""Where a session's reports go: evidence from the process that did the run, the rest from the one that gathers them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance import journal
from conformance.errors import UserError
from conformance.plugins import options
from conformance.report import attestation, bundle

if TYPE_CHECKING:
    from conformance.recorder import Prepared
    from conformance.report.attestation import Signer


def prepare(config: pytest.Config, *, apart: bool) -> Reports:
    """The reports to come. Raises UsageError or UserError for what cannot be written or signed, before anything is sent."""
    folder = _folder(config)
    return Reports(folder, _signer(config, folder), apart=apart)


def _folder(config: pytest.Config) -> Path | None:
    """Where reports go. Raises UsageError when no folder can stand there."""
    given, resumed = options.value(config, "report"), options.value(config, "resume")
    if given and resumed and Path(given).resolve() != Path(resumed).resolve():
        raise pytest.UsageError(
            f"--report={given}: the report of a run that is taken up again goes to --resume={resumed}"
        )
    given = given or resumed
    if not given:
        return None
    path = Path(given)
    there = next(each for each in (path, *path.absolute().parents) if each.exists() or each.is_symlink())
    if not there.is_dir():
        raise pytest.UsageError(f"--report={given}: {there} is not a folder")
    if not os.access(there, os.W_OK):
        raise pytest.UsageError(f"--report={given}: {there} cannot be written to")
    xml = getattr(config.option, "xmlpath", None)
    if xml and Path(xml).absolute() == path.absolute() / "junit.xml":
        raise pytest.UsageError(f"--junitxml={xml}: --report={given} writes that file; leave --junitxml out")
    return path


def _signer(config: pytest.Config, folder: Path | None) -> Signer | None:
    given = options.value(config, "signing-key")
    if not given:
        return None
    if folder is None:
        raise pytest.UsageError(f"--signing-key={given}: there is nothing to sign without --report=DIR")
    # Whoever gathers the reports signs them: workers do not.
    return None if hasattr(config, "workerinput") else attestation.signer(Path(given))


class Reports:
    """Reports by provider: made here, or brought by the workers that did the runs."""

    def __init__(self, folder: Path | None, signer: Signer | None, *, apart: bool) -> None:
        self._folder = folder
        self._signer = signer
        self._apart = apart
        self.made: dict[str, dict[str, Any]] = {}
        # Why a report is not written, by provider.
        self.unwritten: dict[str, str] = {}

    @property
    def wanted(self) -> bool:
        """Whether they are written at all."""
        return self._folder is not None

    def folder(self, name: str) -> str:
        """Where one provider's report goes, or an empty text."""
        return str(self._place(name)) if self.wanted else ""

    def _place(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / name if self._apart else self._folder

    def add(self, name: str, report: dict[str, Any], made: Prepared) -> None:
        """Take the report of a run that was done here; its secrets, which must not be written, are known only here."""
        self.made[name] = report
        if self.wanted and made.judged is not None:
            try:
                bundle.keep(self._place(name), made.judged, made.target, report)
            except UserError as error:
                self.unwritten[name] = str(error)

    def packed(self) -> str:
        """What a worker brings."""
        return json.dumps([self.made, self.unwritten])

    def unpack(self, text: str) -> None:
        """Take what a worker brings."""
        made, unwritten = json.loads(text)
        self.made |= made
        self.unwritten |= unwritten

    def write(self) -> None:
        """Write every report beside its evidence."""
        if not self.wanted:
            return
        for name, report in self.made.items():
            if name in self.unwritten:
                continue
            try:
                bundle.write(self._place(name), report, self._signer, datetime.now(UTC))
                if not report["run"]["stopped"]:
                    journal.clear(self._place(name))
            except UserError as error:
                self.unwritten[name] = str(error)
