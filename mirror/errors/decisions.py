"""Errors 6xx: decisions: who may serve, roles, forces."""

from mirror.errors.base import MirrorError


class CommandRefused(MirrorError):
    """The module cannot do what was asked, now."""

    code = "MIR-601"
    sentence = (
        "command refused: {module}: {verb}: {observed}; `state -m {module}` shows where it is"
    )
