"""Where keys and certificates are, and reading them; a key that others could read is refused.

Nothing here ever puts a private key in an exception, a log or a process argument.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mirror.errors import PkiRefused
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said

CLUSTER_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class PkiFiles:
    """Names in SAFEVAR/cluster/pki. `ca_key` is on one node only, where certificates are made."""

    directory: Path

    @property
    def ca_certificate(self) -> Path:
        """Certificate of the authority; public."""
        return self.directory / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """Private key of the authority."""
        return self.directory / "ca.key"

    @property
    def node_certificate(self) -> Path:
        """Certificate of this node; public."""
        return self.directory / "node.crt"

    @property
    def node_key(self) -> Path:
        """Private key of this node."""
        return self.directory / "node.key"

    @property
    def cluster_key(self) -> Path:
        """The 32 bytes all nodes share; keys of the heartbeats are derived from it."""
        return self.directory / "cluster.key"


def read_cluster_key(directory: Path) -> bytes:
    """The cluster secret.

    Raises: PkiRefused (MIR-320): missing, cut short, or readable by others.
    """
    path = PkiFiles(directory).cluster_key
    secret = read_file(path)
    if len(secret) != CLUSTER_KEY_BYTES:
        raise PkiRefused(
            file=path,
            observed=say("pki.key_bytes", count=len(secret), wanted=CLUSTER_KEY_BYTES),
            remedy=say("do.copy_key"),
        )
    refuse_when_shared(path)
    return secret


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in a file. Raises: PkiRefused (MIR-320)."""
    refuse_when_shared(path)
    try:
        key = serialization.load_pem_private_key(read_file(path), password=None)
    except ValueError as error:
        raise PkiRefused(
            file=path, observed=say("pki.no_key"), remedy=say("do.restore_key")
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PkiRefused(file=path, observed=say("pki.no_ec_key"), remedy=say("do.new_cluster"))
    return key


def refuse_when_shared(path: Path) -> None:
    """A key that others could read is no secret: say so instead of using it."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unreadable(path, error) from error
    if mode & 0o077:
        raise PkiRefused(
            file=path,
            observed=say("pki.mode", mode=f"{mode & 0o777:04o}"),
            remedy=say("do.make_private"),
        )


def read_file(path: Path) -> bytes:
    """Content of a file of the PKI. Raises: PkiRefused (MIR-320)."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> PkiRefused:
    return PkiRefused(
        file=path,
        observed=system_said(error),
        remedy=say("do.join_again"),
    )
