"""Errors 3xx: protocols: local, between nodes, security."""

from collections.abc import Mapping

from mirror.errors.base import EXIT_NOT_REACHABLE, MirrorError


class LocalMessageRefused(MirrorError):
    """Bytes on a local socket are no message of ours; the stream is closed after it."""

    code = "MIR-301"
    sentence = "local message refused: {what}: {observed}; both ends must be of one version"


class NodeNotReachable(MirrorError):
    """The control plane of this host does not answer on its socket."""

    code = "MIR-302"
    exit_code = EXIT_NOT_REACHABLE
    sentence = (
        "node not reachable: {socket}: {observed};"
        " start it with `systemctl start mirror` or `mirror node`"
    )


class LocalCallFailed(MirrorError):
    """The other end answered with an error, all of which is kept as it is.

    The sentence already ends with its own code, hence the plain rendering.
    """

    code = "MIR-303"
    sentence = "{remote_sentence}"

    def __init__(
        self,
        *,
        remote_code: str,
        remote_sentence: str,
        remote_exit_code: int,
        remote_facts: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(remote_sentence=remote_sentence)
        self.facts = dict(remote_facts or {})
        self.code = remote_code
        self.exit_code = remote_exit_code
        self.args = (remote_sentence,)


class ProtocolRefused(MirrorError):
    """Bytes from the other node's data plane break PROTOCOL.md; the session is over after it."""

    code = "MIR-310"
    sentence = "frame refused: {what}: {observed}; both nodes must run versions that go together"


class PkiRefused(MirrorError):
    """Keys or certificates of the cluster are there already, missing, or not ours."""

    code = "MIR-320"
    sentence = "cluster keys refused: {file}: {observed}; {remedy}"


class HeartbeatPortTaken(MirrorError):
    """The UDP port of a module's heartbeats cannot be bound."""

    code = "MIR-321"
    sentence = (
        "heartbeat not started: lan={lan} address={address}:{port}: {observed};"
        " free the port or set another with <heart port=...>"
    )


class WitnessNotReachable(MirrorError):
    """No endpoint of the witness gave an answer before the deadline."""

    code = "MIR-322"
    sentence = "witness not reachable: {endpoints}: {observed}; check it and the network to it"


class WitnessRefused(MirrorError):
    """The witness answered, but with a refusal or something that is not ours."""

    code = "MIR-323"
    sentence = "witness refused: {endpoint}: {observed}; check user, rights and key"
