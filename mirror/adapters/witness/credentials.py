"""How this node shows itself to the etcd witness: certificates and a login, from files of its own.

All may be missing: then etcd is asked without, and its certificate is checked against the system's
authorities. None of it stands in userconfig.xml, which is copied and packaged.

    SAFEVAR/cluster/witness/ca.crt                  who signed etcd's certificate
                            client.crt, client.key  who this node is
                            login                   the user, and in a second line the password

An etcd that asks for certificates and for passwords wants certificates without a common name.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from mirror.adapters.pki_files import read_file, refuse_when_shared
from mirror.errors import PkiRefused
from mirror.vocabulary.said import say

REMEDY = "correct it, on both nodes"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What was found. tls: None without files of certificates."""

    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)


def read_credentials(directory: Path) -> Credentials:
    """Read what is there. Raises: PkiRefused (MIR-320), also for a secret that others may read."""
    user, password = _login(directory / "login")
    return Credentials(_tls(directory), user, password)


def _login(path: Path) -> tuple[str, str]:
    if not path.exists():
        return "", ""
    refuse_when_shared(path)
    lines = read_file(path).decode(errors="replace").splitlines()
    if len(lines) != 2 or not all(lines):
        raise PkiRefused(file=path, observed=say("pki.no_password"), remedy=REMEDY)
    return lines[0], lines[1]


def _tls(directory: Path) -> ssl.SSLContext | None:
    authority, certificate, key = (
        directory / name for name in ("ca.crt", "client.crt", "client.key")
    )
    if not authority.exists() and not certificate.exists():
        return None
    try:
        context = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
        if certificate.exists():
            refuse_when_shared(key)
            context.load_cert_chain(str(certificate), str(key))
    except (OSError, ssl.SSLError) as error:
        observed = error.strerror or "not usable"
        raise PkiRefused(file=directory, observed=observed, remedy=REMEDY) from error
    return context
