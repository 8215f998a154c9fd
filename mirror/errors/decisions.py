"""Errors 6xx: decisions: who may serve, roles, forces."""

from mirror.errors.base import EXIT_CONFIG_REFUSED, MirrorError


class CommandRefused(MirrorError):
    """The module cannot do what was asked, now."""

    code = "MIR-601"
    sentence = (
        "command refused: {module}: {verb}: {observed}; `state -m {module}` shows where it is"
    )


class WhatIfRefused(MirrorError):
    """An event of a what-if is none, or cannot happen to that node."""

    code = "MIR-603"
    sentence = "what-if refused: {event}: {observed}; `mirror simulate --events` lists them"


class RuleRefused(MirrorError):
    """A failover rule is wrong."""

    code = "MIR-602"
    exit_code = EXIT_CONFIG_REFUSED
    sentence = (
        "failover rule refused: {label}: line {line}, column {column}: {observed};"
        " write it as `label: if (class.id == state) then action();`"
    )
