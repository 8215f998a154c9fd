"""Errors 8xx: web console and API."""

from mirror.errors.base import EXIT_NOT_REACHABLE, EXIT_TIMED_OUT, EXIT_USAGE, MirrorError


class SignInNeeded(MirrorError):
    """Nobody is signed in, or the session ended."""

    code = "MIR-801"
    sentence = "sign-in needed: {what}: {observed}; sign in, or send a bearer token"


class RoleTooLow(MirrorError):
    """The caller is known, and has not the right."""

    code = "MIR-802"
    sentence = "not allowed: {what}: your role is {role}; it takes {needed}"


class SignInRefused(MirrorError):
    """Name or password is wrong; which of them is not said."""

    code = "MIR-803"
    sentence = "sign-in refused: {name}: name or password is wrong; `mirror console link` helps"


class TooManyAttempts(MirrorError):
    """Passwords are being guessed, or it looks so."""

    code = "MIR-804"
    sentence = "too many attempts: {what}: the last ones failed; wait {wait_s} s"


class RequestForged(MirrorError):
    """A page of another site made this request, or it looks so."""

    code = "MIR-805"
    sentence = "request refused: {what}: {observed}; reload the page and try again"


class InputRefused(MirrorError):
    """Something typed or sent is not understood."""

    code = "MIR-806"
    exit_code = EXIT_USAGE
    sentence = "input refused: {what}: {observed}; {remedy}"


class NotFoundHere(MirrorError):
    """There is nothing of this name."""

    code = "MIR-807"
    sentence = "not found: {what}: {observed}; {remedy}"


class ChangedMeanwhile(MirrorError):
    """Somebody else saved it since it was read."""

    code = "MIR-808"
    sentence = "changed meanwhile: {what}: {observed}; read it again and merge"


class ConfirmationNeeded(MirrorError):
    """The command can discard data."""

    code = "MIR-809"
    sentence = (
        "confirmation needed: {verb} of {module}: {observed}; give the module's name as `confirm`"
    )


class PeerNotReachable(MirrorError):
    """The console of the other node does not answer."""

    code = "MIR-810"
    exit_code = EXIT_NOT_REACHABLE
    sentence = "other node not reachable: {node}: {observed}; check that node and the networks"


class ConsoleNotStarted(MirrorError):
    """The console cannot listen."""

    code = "MIR-811"
    sentence = "console not started: {address}: {observed}; free that address, or use --bind"


class OneTimeLinkRefused(MirrorError):
    """A link was used before, or is too old."""

    code = "MIR-812"
    sentence = "one-time link refused: {what}: {observed}; `mirror console link` makes a new one"


class PasswordRefused(MirrorError):
    """A password is too easy."""

    code = "MIR-813"
    exit_code = EXIT_USAGE
    sentence = "password refused: the new password: {observed}; {remedy}"


class UserRefused(MirrorError):
    """A user cannot be made, changed or removed."""

    code = "MIR-814"
    sentence = "user not changed: {name}: {observed}; {remedy}"


class ConsoleDatabaseFailed(MirrorError):
    """What the console remembers cannot be read or written."""

    code = "MIR-815"
    sentence = "console database failed: {file}: {observed}; check that disk"


class RequestTooLarge(MirrorError):
    """More bytes than are taken."""

    code = "MIR-816"
    sentence = "request too large: {what}: more than {bytes_max} bytes; send less"


class NoAnswerInTime(MirrorError):
    """A helper program or the control plane did not answer in time."""

    code = "MIR-817"
    exit_code = EXIT_TIMED_OUT
    sentence = "no answer in time: {what}: nothing for {waited_s} s; {remedy}"


class SignInServiceFailed(MirrorError):
    """The LDAP directory or the OpenID Connect provider cannot be asked."""

    code = "MIR-821"
    sentence = "sign-in service failed: {service}: {observed}; a user of this console can sign in"


class EditedBySomebody(MirrorError):
    """Somebody else is editing cluster.xml."""

    code = "MIR-822"
    sentence = "edited by somebody: {what}: {who} has it since {since_s} s; wait, or ask them"


class NotificationFailed(MirrorError):
    """A mail, a webhook or the administrator's command did not work."""

    code = "MIR-820"
    sentence = "notification failed: {channel}: {where}: {observed}; correct it, then send a test"
