"""Errors 7xx: lab."""

from mirror.errors.base import EXIT_NOT_REACHABLE, MirrorError


class LabNotUp(MirrorError):
    """No lab of that name runs."""

    code = "MIR-701"
    exit_code = EXIT_NOT_REACHABLE
    sentence = "no lab: {name}: {observed}; `mirror lab up --name {name}` makes one"


class LabToolFailed(MirrorError):
    """A system tool that builds the lab failed or is missing."""

    code = "MIR-702"
    sentence = "lab not built: {tool}: {observed}; `make setup` installs what is missing"


class LabAlreadyUp(MirrorError):
    """A lab of that name runs already."""

    code = "MIR-703"
    sentence = "lab is up already: {name}: {observed}; `lab down --name {name}`, or another --name"


class LabVerbRefused(MirrorError):
    """What was asked of a host makes no sense for it now."""

    code = "MIR-704"
    sentence = "lab refused: {verb} {host}: {observed}; {remedy}"


class LabCommandFailed(MirrorError):
    """A command run inside a host failed, where success was needed."""

    code = "MIR-705"
    sentence = "command failed: {host}: {command}: {observed}; see {log}"


class LabHostNotBooted(MirrorError):
    """A host did not come up."""

    code = "MIR-706"
    sentence = "host not booted: {host}: {observed}; see {log}"


class DemoFailed(MirrorError):
    """The demonstration did not get to its end."""

    code = "MIR-707"
    sentence = "demo failed: {step}: {observed}; {remedy}"
