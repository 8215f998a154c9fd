"""What stands in a certificate, for people. Blocking."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from mirror.adapters.pki_files import read_file
from mirror.errors import PkiRefused
from mirror.vocabulary.said import say

US_PER_S = 1_000_000
NEVER_ENDS_YEAR = 9999  # RFC 5280 4.1.2.5


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Times: microseconds since 1970. not_after_us None: it never ends. fingerprint: SHA-256."""

    subject: str
    not_before_us: int
    not_after_us: int | None
    fingerprint: str
    serial: str


def certificate_facts(file: Path) -> CertificateFacts:
    """Read one. Raises: PkiRefused (MIR-320)."""
    try:
        certificate = x509.load_pem_x509_certificate(read_file(file))
    except ValueError as error:
        raise PkiRefused(
            file=file, observed=say("pki.no_certificate"), remedy=say("do.renew_or_join")
        ) from error
    ends = certificate.not_valid_after_utc
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        not_before_us=_us(certificate.not_valid_before_utc),
        not_after_us=None if ends.year == NEVER_ENDS_YEAR else _us(ends),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        serial=f"{certificate.serial_number:x}",
    )


def _us(moment: datetime) -> int:
    return int((moment - datetime.fromtimestamp(0, tz=UTC)).total_seconds()) * US_PER_S
