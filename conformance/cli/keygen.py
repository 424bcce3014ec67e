"""``conformance keygen``: a key pair to sign reports with."""

from __future__ import annotations

import os
from pathlib import Path

import click

from conformance.errors import UserError
from conformance.report import attestation


@click.command()
@click.option(
    "--out", "name", default="conformance", show_default=True, metavar="NAME", help="Write NAME.key and NAME.pub."
)
@click.option("--type", "kind", type=click.Choice(attestation.KINDS), default="ed25519", show_default=True)
def keygen(name: str, kind: str) -> None:
    """Make a key pair: NAME.key signs reports (pytest --signing-key), NAME.pub checks them (conformance verify --key)."""
    private, public = Path(f"{name}.key"), Path(f"{name}.pub")
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise UserError(f"{path} exists already; give another --out")
    secret, told, key_id = attestation.key_pair(kind)
    _write(private, secret, 0o600)
    _write(public, told, 0o644)
    click.echo(f"{private}: the private key; keep it where only the one who signs can read it")
    click.echo(f"{public}: the public key {key_id}")


def _write(path: Path, content: bytes, mode: int) -> None:
    """A new file that nobody else could read meanwhile. Raises UserError; what exists stays as it is."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
