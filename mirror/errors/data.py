"""Errors 5xx: capture, apply, native library."""

from mirror.errors.base import EXIT_USAGE, MirrorError


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


class DirectoryNotReady(MirrorError):
    """A replicated directory is not as the configuration says it must be before it is used."""

    code = "MIR-507"
    sentence = "not replicated: directory={directory}: {observed}; correct that, then start again"


class KeptVersionUnknown(MirrorError):
    """No version kept aside has this id, or the id is of several."""

    code = "MIR-506"
    exit_code = EXIT_USAGE
    sentence = "no such version kept aside: {version}: {observed}; `kept -m {module}` lists them"


class RestoreRefused(MirrorError):
    """A version kept aside is restored through the mount, so only where it is."""

    code = "MIR-509"
    sentence = "cannot restore: {module}: {observed}; run it on the node that serves"


class KeptNotDone(MirrorError):
    """Some of the versions named could not be restored or removed; the others were."""

    code = "MIR-508"
    sentence = "not all done: {module}: {observed}; what was done stays done, try those again"


class VerificationStopped(MirrorError):
    """A comparison of both nodes did not come to its end, and what it says is not all."""

    code = "MIR-511"
    sentence = "verification stopped: {observed}; ask again when the pair is in step"


class VerificationRuns(MirrorError):
    """One at a time: the answer of the one under way is nearer."""

    code = "MIR-512"
    sentence = "verification refused: {node}: one is under way; look at it with `rfsverify --show`"


class ReplicationVerbRefused(MirrorError):
    """What was asked of the replicated data is another node's to answer, or not now."""

    code = "MIR-513"
    sentence = "{verb} refused: {node}: {observed}; ask {peer}, or here when it is"


class NothingHoldsChanges(MirrorError):
    """A comparison beside the application needs that its changes can be held, object by object."""

    code = "MIR-515"
    sentence = (
        '{verb} refused: {module}: with capture="watch" a change is not held back, so a difference'
        " may be one that is on its way; `second fullsync` on the other node compares everything"
    )


class DiskRestored(MirrorError):
    """The disk of the node that serves is older than what its peer knows to have been on it."""

    code = "MIR-514"
    sentence = (
        "reintegration refused: a disk of this node was put back to an earlier day, and {peer} has"
        " newer data; stop the module here and start it there with `primforce`,"
        " or give the newer data up with `second fullsync` there"
    )
