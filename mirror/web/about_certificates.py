"""The certificates of this node, with their validity. Blocking: files of SAFEVAR."""

from mirror.adapters import clock
from mirror.adapters.certificates import CertificateFacts, certificate_facts
from mirror.adapters.pki_files import PkiFiles
from mirror.errors import MirrorError
from mirror.web.cluster_seen import ClusterSeen
from mirror.web.models.cluster import CertificateView

US_PER_DAY = 24 * 3600 * 1_000_000


def certificates_of(cluster: ClusterSeen) -> list[CertificateView]:
    """Those that are there: of the authority, and of this node."""
    files = PkiFiles(cluster.layout.pki)
    node = cluster.look().shown_node
    found = []
    for what, file in (("authority", files.ca_certificate), ("node", files.node_certificate)):
        if file.is_file():
            try:
                found.append(_view(node, what, certificate_facts(file)))
            except MirrorError:
                continue  # `mirror doctor` says what is wrong with it
    return found


def _view(node: str, what: str, facts: CertificateFacts) -> CertificateView:
    ends = facts.not_after_us
    left = None if ends is None else (ends - clock.wall_us()) // US_PER_DAY
    return CertificateView(
        node=node,
        what=what,
        subject=facts.subject,
        not_before_us=facts.not_before_us,
        not_after_us=ends,
        days_left=left,
        fingerprint=facts.fingerprint,
        serial=facts.serial,
    )
