"""Keys and certificates of a cluster: an authority, one certificate a node, one shared secret.

Links are TLS 1.3 with both ends authenticated by this authority and no other. Heartbeats are
datagrams, so they are authenticated by a secret of 32 random bytes (`cluster.key`).

Certificates are valid from 1970 to the end of time on purpose: a clock that jumps, or a dead
battery at boot, must not keep two nodes apart (design 14, "clock jumps: nothing"). What ends a
certificate is a new authority, not a date.

This file never puts a private key in an exception, a log or a process argument.
"""

import ipaddress
import re
import secrets
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mirror.adapters.durable import make_directory, write_durably
from mirror.adapters.pki_files import (
    CLUSTER_KEY_BYTES,
    PkiFiles,
    load_key,
    read_cluster_key,
    read_file,
)
from mirror.errors import PkiRefused
from mirror.vocabulary.said import say

NOT_BEFORE = datetime(1970, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280 4.1.2.5: no expiration

_PRIVATE = 0o600
_PUBLIC = 0o644
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


def create_cluster(directory: Path) -> PkiFiles:
    """Make a new authority and a new cluster secret in `directory`.

    The certificate is written last: where it is, everything else is.
    Raises: PkiRefused (MIR-320) when there is an authority already, which is never replaced here.
    """
    files = PkiFiles(directory)
    if files.ca_certificate.exists():
        raise PkiRefused(
            file=files.ca_certificate,
            observed=say("pki.authority"),
            remedy=say("do.remove_keys"),
        )
    make_directory(directory)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"mirror cluster {secrets.token_hex(4)}")]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    write_durably(files.cluster_key, secrets.token_bytes(CLUSTER_KEY_BYTES), mode=_PRIVATE)
    write_durably(files.ca_key, _key_bytes(key), mode=_PRIVATE)
    write_durably(files.ca_certificate, _pem(certificate), mode=_PUBLIC)
    return files


def issue_node(
    cluster_dir: Path, node_name: str, addresses: Sequence[str], out_dir: Path
) -> PkiFiles:
    """Make key and certificate of a node in `out_dir`, with copies of ca.crt and cluster.key.

    addresses: IP addresses or host names by which the peer connects; all become alternative
    names, with the node's name. out_dir may be cluster_dir. An older certificate is replaced.
    Raises: PkiRefused (MIR-320).
    """
    if not _NAME.fullmatch(node_name):
        raise PkiRefused(
            file=out_dir,
            observed=say("pki.node_name", name=node_name),
            remedy=say("do.name_letters"),
        )
    cluster, out = PkiFiles(cluster_dir), PkiFiles(out_dir)
    authority = x509.load_pem_x509_certificate(read_file(cluster.ca_certificate))
    secret = read_cluster_key(cluster_dir)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(cluster, node_name, addresses, key.public_key())
    make_directory(out_dir)
    if out_dir.resolve() != cluster_dir.resolve():
        write_durably(out.cluster_key, secret, mode=_PRIVATE)
        write_durably(out.ca_certificate, _pem(authority), mode=_PUBLIC)
    write_durably(out.node_key, _key_bytes(key), mode=_PRIVATE)
    write_durably(out.node_certificate, _pem(certificate), mode=_PUBLIC)
    return out


def replace_authority(directory: Path, node_name: str, addresses: Sequence[str]) -> None:
    """Make a new authority here, and a certificate of this node by it; the cluster secret stays.

    For when the node that held the authority's key is lost. A certificate by the old one is
    refused from then on. Broken off in between, it is done again.
    Raises: PkiRefused (MIR-320) when this node is in no cluster.
    """
    read_cluster_key(directory)
    with tempfile.TemporaryDirectory(prefix=".authority.", dir=directory.parent) as staging:
        made = Path(staging) / directory.name
        create_cluster(made)
        new, files = issue_node(made, node_name, addresses, made), PkiFiles(directory)
        for source, target, mode in (
            (new.ca_key, files.ca_key, _PRIVATE),
            (new.ca_certificate, files.ca_certificate, _PUBLIC),
            (new.node_key, files.node_key, _PRIVATE),
            (new.node_certificate, files.node_certificate, _PUBLIC),
        ):
            write_durably(target, source.read_bytes(), mode=mode)


def sign_request(
    cluster_dir: Path, node_name: str, addresses: Sequence[str], request: bytes
) -> bytes:
    """Certificate (PEM) for the public key of a request (PEM); nothing else of it is believed.

    Raises: PkiRefused (MIR-320): no authority's key here, or not a request with an EC key.
    """
    cluster = PkiFiles(cluster_dir)
    try:
        asked = x509.load_pem_x509_csr(request)
        key = asked.public_key()
        is_right = asked.is_signature_valid and isinstance(key, ec.EllipticCurvePublicKey)
    except ValueError:
        is_right = False
    if not is_right:
        raise PkiRefused(
            file=cluster.directory, observed=say("pki.no_request"), remedy=say("do.renew_again")
        )
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return _pem(_signed(cluster, node_name, addresses, key))


class Renewal:
    """A new key of this node, in memory until the authority has signed a certificate for it."""

    def __init__(self, directory: Path, node_name: str) -> None:
        self._files = PkiFiles(directory)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = node_name

    @property
    def request(self) -> bytes:
        """What the authority is asked to sign (PEM)."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def install(self, certificate_pem: bytes) -> None:
        """Put key and certificate in force. Raises: PkiRefused (MIR-320), and nothing is changed.

        Whoever listens has the old ones in memory, and takes up these when they fit together.
        """
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem)
            authority = x509.load_pem_x509_certificate(read_file(self._files.ca_certificate))
            certificate.verify_directly_issued_by(authority)
            fits = certificate.public_key() == self._key.public_key()
        except (ValueError, TypeError, InvalidSignature):
            fits = False
        if not fits:
            raise PkiRefused(
                file=self._files.node_certificate,
                observed=say("pki.not_for_key"),
                remedy=say("do.same_cluster"),
            )
        write_durably(self._files.node_key, _key_bytes(self._key), mode=_PRIVATE)
        write_durably(self._files.node_certificate, certificate_pem, mode=_PUBLIC)


def _signed(
    cluster: PkiFiles, node_name: str, addresses: Sequence[str], key: ec.EllipticCurvePublicKey
) -> x509.Certificate:
    authority_key = load_key(cluster.ca_key)
    authority = x509.load_pem_x509_certificate(read_file(cluster.ca_certificate))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node_name)])
    return (
        _builder(name, authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(
            x509.SubjectAlternativeName(_alternative_names(node_name, addresses)), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(node_name: str, addresses: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(node_name)]
    for address in dict.fromkeys(addresses):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(address.partition("%")[0])))
        except ValueError:
            if address != node_name:
                names.append(x509.DNSName(address))
    return names


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
