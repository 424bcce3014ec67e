"""
The attestation of a bundle: an in-toto Statement in a DSSE envelope. The only door to securesystemslib.

The Statement's subjects are the digests of all other files and of the pack; its predicate is in-toto's test-result.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, TypeAlias

from conformance.errors import UserError
from conformance.model import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from securesystemslib.signer import CryptoSigner, Key

# What others may call them without knowing the library.
Signer: TypeAlias = "CryptoSigner"
PublicKey: TypeAlias = "Key"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
KINDS = ("ed25519", "ecdsa")
# A PEM file with a key is a few hundred bytes.
_LONGEST_KEY = 64 << 10


def statement(report: dict[str, Any], files: dict[str, str], attested_at: str) -> dict[str, Any]:
    """What is attested of a report and of the SHA-256 of its bundle's files by name."""
    provider, run = report["provider"], report["run"]
    pack = {"name": f"pack/{provider['name']}", "digest": {"sha256": provider["pack_sha256"]}}
    told = {key: run[key] for key in ("id", "started_at", "finished_at", "complete", "challenge") if key in run}
    told |= {"verdict": report["verdict"], "attested_at": attested_at}
    suite = f"pkg:pypi/{report['suite']['name']}@{report['suite']['version']}"
    return {
        "_type": STATEMENT,
        "subject": [*({"name": name, "digest": {"sha256": files[name]}} for name in sorted(files)), pack],
        "predicateType": PREDICATE,
        "predicate": {
            "result": result(report),
            "configuration": [
                {"name": "suite", "uri": suite},
                pack | {"annotations": {"revision": provider["revision"]}},
                {"name": "endpoint", "uri": report["target"]["url"], "annotations": {"kind": report["target"]["kind"]}},
                {"name": "cases", "digest": {"sha256": run["expected_cases_sha256"]}, "annotations": told},
            ],
            "passedTests": _named(report, Verdict.CONFORMANT),
            "warnedTests": _named(report, Verdict.ADVISORY),
            "failedTests": _named(report, Verdict.VIOLATION, Verdict.INCONCLUSIVE),
        },
    }


def result(report: dict[str, Any]) -> str:
    """
    The verdict in in-toto's words.

    Inconclusive is FAILED: whoever admits what did not fail must not admit what was never shown.
    """
    if report["verdict"] != "conformant":
        return "FAILED"
    return "WARNED" if _named(report, Verdict.ADVISORY) else "PASSED"


def _named(report: dict[str, Any], *verdicts: Verdict) -> list[str]:
    return [row["id"] for row in report["requirements"] if row["verdict"] in verdicts]


def sealed(statement: dict[str, Any], signer: Signer | None) -> str:
    """The envelope with the statement in it, signed where there is a key."""
    from securesystemslib.dsse import Envelope  # noqa: PLC0415  # heavy, and few runs write reports

    payload = json.dumps(statement, ensure_ascii=False, separators=(",", ":")).encode()
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    if signer is not None:
        envelope.sign(signer)
    return json.dumps(envelope.to_dict(), indent=1) + "\n"


class Sealed:
    """An envelope that somebody handed in, as parsed JSON. Raises ValueError where it is none."""

    def __init__(self, data: Any) -> None:
        from securesystemslib.dsse import Envelope  # noqa: PLC0415
        from securesystemslib.exceptions import FormatError  # noqa: PLC0415

        try:
            self._envelope = Envelope.from_dict(copy.deepcopy(data))
            # Decoding passes over what is not base64: one envelope could be written in several ways.
            plain = self._envelope.to_dict() == data
            statement = json.loads(self._envelope.payload)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, FormatError):
            raise ValueError("not a DSSE envelope") from None
        if not plain or self._envelope.payload_type != PAYLOAD_TYPE or not isinstance(statement, dict):
            raise ValueError("not a DSSE envelope with an in-toto Statement")
        self.statement: dict[str, Any] = statement

    @property
    def key_ids(self) -> list[str]:
        """Whose keys are said to have signed it."""
        return sorted(self._envelope.signatures)

    def trouble(self, key: PublicKey) -> str:
        """Why the key's owner did not sign this, or nothing."""
        from securesystemslib.exceptions import VerificationError  # noqa: PLC0415

        if not self.key_ids:
            return "nobody signed it"
        if key.keyid not in self.key_ids:
            return f"signed with another key ({', '.join(self.key_ids)}), not with {key.keyid}"
        try:
            self._envelope.verify([key], 1)
        except VerificationError:
            return "the signature does not fit: what is attested was changed after it was signed"
        return ""


def signer(path: Path) -> Signer:
    """The private key in a PEM file. Raises UserError."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415

    try:
        return CryptoSigner(load_pem_private_key(_pem(path), None))
    except TypeError:
        raise UserError(
            f"{path}: the key is encrypted, and nobody is there to be asked; give one that is not"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UserError(f"{path}: not a private key (PEM, Ed25519 or ECDSA); conformance keygen makes a pair") from None


def public_key(path: Path) -> PublicKey:
    """The public key in a PEM file. Raises UserError."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415
    from securesystemslib.signer import SSlibKey  # noqa: PLC0415

    content = _pem(path)
    if b"PRIVATE KEY" in content:
        raise UserError(f"{path}: a private key; give the public one that belongs to it")
    try:
        return SSlibKey.from_crypto(load_pem_public_key(content))
    except (ValueError, UnsupportedAlgorithm):
        raise UserError(f"{path}: not a public key (PEM, Ed25519 or ECDSA); conformance keygen makes a pair") from None


def _pem(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_LONGEST_KEY)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def key_pair(kind: str) -> tuple[bytes, bytes, str]:
    """A new key pair as PEM, the private one first, with its id."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415

    made = CryptoSigner.generate_ed25519() if kind == "ed25519" else CryptoSigner.generate_ecdsa()
    private = serialization.load_pem_private_key(made.private_bytes, None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return made.private_bytes, public, made.public_key.keyid
