"""Errors 5xx: capture, apply, native library."""

from mirror.errors.base import MirrorError


class LinkRefused(MirrorError):
    """The peer's data plane does not accept a connection of this session."""

    code = "MIR-501"
    sentence = "link refused: peer={peer}: {sentence}; see the module log of that node"


class PlaneNotReady(MirrorError):
    """A verb came to a data plane that is in another mode."""

    code = "MIR-502"
    sentence = "{verb} refused: data plane: it is {mode}; the control plane asks again by itself"


class PlaneFailed(MirrorError):
    """A verb failed in a data plane for a reason of its host."""

    code = "MIR-504"
    sentence = "data plane failed: {verb}: {observed}; see the node's log"


class DirectoryInUse(MirrorError):
    """Processes hold a replicated directory that must be taken away."""

    code = "MIR-503"
    sentence = "cannot unmount: directory={directory}: {observed}; end what uses it"


class ReintegrationStopped(MirrorError):
    """The target is not up to date, and why the source cannot go on with it now."""

    code = "MIR-505"
    sentence = "reintegration stopped: {step}: {observed}; tried again, it goes on from there"
