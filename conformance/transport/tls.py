"""TLS: which certificates are trusted, which one is shown, and what is wrong with one that is refused."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from conformance.errors import UserError
from conformance.transport.sockets import TlsSocket

_ELSEWHERE = "the certificate is for another host"
_UNKNOWN = (
    "the certificate was issued by nobody that this machine trusts;"
    " if it should be trusted, name the issuer's certificate with --ca-bundle=FILE"
)
# By the verify codes of OpenSSL.
_REFUSED = {
    9: "the certificate is not valid yet; is the clock of this machine right?",
    10: "the certificate has expired",
    23: "the certificate was revoked",
    62: _ELSEWHERE,
    64: _ELSEWHERE,
} | dict.fromkeys((2, 18, 19, 20, 21, 27), _UNKNOWN)
_PERHAPS = "perhaps a client certificate is wanted (--client-cert=FILE)"
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
_WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE", "ALERT_UNKNOWN_CA")


@dataclass(frozen=True, slots=True)
class Files:
    """Files with certificates (PEM) that the user names."""

    ca_bundle: str = ""
    client_cert: str = ""
    client_key: str = ""


def context(files: Files) -> ssl.SSLContext:
    """
    A context that verifies certificates and host names, by the system's issuers and those of the bundle.

    Raises UserError for a file that is no such thing.
    """
    made = ssl.create_default_context()
    made.sslsocket_class = TlsSocket
    if files.ca_bundle:
        _there("--ca-bundle", files.ca_bundle)
        try:
            made.load_verify_locations(files.ca_bundle)
        except OSError as error:
            raise UserError(f"--ca-bundle={files.ca_bundle}: there is no certificate (PEM) in it") from error
    if files.client_key and not files.client_cert:
        raise UserError(f"--client-key={files.client_key}: name the certificate too, with --client-cert=FILE")
    if files.client_cert:
        _show(made, files)
    return made


def _show(made: ssl.SSLContext, files: Files) -> None:
    _there("--client-cert", files.client_cert)
    if files.client_key:
        _there("--client-key", files.client_key)
    try:
        # Without the empty passphrase, OpenSSL would ask the terminal for one.
        made.load_cert_chain(files.client_cert, files.client_key or None, password="")
    except (OSError, ValueError) as error:
        named = f"--client-cert={files.client_cert}"
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            raise UserError(f"{named}: the private key belongs to another certificate") from error
        where = f"--client-key={files.client_key}" if files.client_key else named
        raise UserError(
            f"{where}: no certificate with its private key (PEM, without a passphrase);"
            " the key may be in a file of its own: --client-key=FILE"
        ) from error


def _there(option: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise UserError(f"{option}={path}: {error.strerror}") from None


def why(error: ssl.SSLError) -> str:
    """What is wrong, and what to do, without anything that the other side said."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _REFUSED.get(error.verify_code, f"the certificate is refused: {error.verify_message}")
    if isinstance(error, ssl.SSLEOFError):
        # So it looks too when the alert that says it was not yet read.
        return f"the connection was closed in the middle of TLS; {_PERHAPS}"
    reason = error.reason or ""
    if any(each in reason for each in _NO_TLS):
        return "no TLS is spoken there; is it http:// and not https://?"
    if any(each in reason for each in _WANTS_CERTIFICATE):
        return f"TLS was refused; {_PERHAPS}"
    return f"TLS failed: {reason.replace('_', ' ').lower() or 'no reason is given'}"
