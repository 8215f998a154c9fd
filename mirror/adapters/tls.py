"""Using the certificates: TLS 1.3 contexts, and whether a node's files belong together."""

import ssl
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from mirror.adapters.pki_files import PkiFiles, load_key, read_file, refuse_when_shared
from mirror.errors import PkiRefused
from mirror.vocabulary.said import say
from mirror.vocabulary.said_system import system_said


def node_name_of(certificate_pem: bytes) -> str:
    """Name of the node a certificate was issued to."""
    return _common_name(x509.load_pem_x509_certificate(certificate_pem))


def check_node(directory: Path) -> str:
    """Check that key, certificate and authority of this node belong together; return its name.

    Raises: PkiRefused (MIR-320).
    """
    files = PkiFiles(directory)
    key = load_key(files.node_key)
    certificate = x509.load_pem_x509_certificate(read_file(files.node_certificate))
    authority = x509.load_pem_x509_certificate(read_file(files.ca_certificate))
    remedy = say("do.issue_again")
    if certificate.public_key() != key.public_key():
        raise PkiRefused(file=files.node_key, observed=say("pki.other_key"), remedy=remedy)
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise PkiRefused(
            file=files.node_certificate, observed=say("pki.other_authority"), remedy=remedy
        ) from error
    return _common_name(certificate)


def tls_context(directory: Path, *, server_side: bool) -> ssl.SSLContext:
    """TLS 1.3 only, both ends authenticated by the cluster's authority alone.

    The client checks the name or address it connected to against the alternative names.
    Raises: PkiRefused (MIR-320).
    """
    files = PkiFiles(directory)
    refuse_when_shared(files.node_key)
    purpose = ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(purpose)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = not server_side
    try:
        context.load_verify_locations(cafile=str(files.ca_certificate))
        context.load_cert_chain(str(files.node_certificate), str(files.node_key))
    except (OSError, ssl.SSLError) as error:
        raise PkiRefused(
            file=directory, observed=system_said(error), remedy=say("do.issue_again")
        ) from error
    return context


def _common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
