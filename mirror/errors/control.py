"""Errors 4xx: control plane, processes, waiting."""

from mirror.errors.base import EXIT_TIMED_OUT, EXIT_USAGE, MirrorError


class WaitedInVain(MirrorError):
    """A state was waited for and did not come in time."""

    code = "MIR-401"
    exit_code = EXIT_TIMED_OUT
    sentence = "waited in vain: {module}: {observed}; `state -m {module}` says why"


class DataPlaneSilent(MirrorError):
    """A data plane did not answer in time, or its connection broke; it is ended."""

    code = "MIR-402"
    sentence = "data plane does not answer: {module}: {verb}: {observed}; it is started again"


class DataPlaneNotStarted(MirrorError):
    """The data plane's process ended before it could be spoken to."""

    code = "MIR-403"
    sentence = "data plane not started: {module}: {observed}; see {log}"


class ModuleNotLoaded(MirrorError):
    """A configured module cannot be run by this node."""

    code = "MIR-404"
    sentence = "module not loaded: {module}: {observed}; correct it, then `config -m {module}`"


class RequestNotUnderstood(MirrorError):
    """A request on the control socket that this version does not know."""

    code = "MIR-405"
    exit_code = EXIT_USAGE
    sentence = "request not understood: {what}: {observed}; are the versions the same?"


class ChangesNotTaken(MirrorError):
    """A module that runs did not take up what changed in its configuration."""

    code = "MIR-406"
    sentence = (
        "changes not taken up: {module}: {observed}; it goes on as it was: correct them, then"
        " `config -m {module}`"
    )
