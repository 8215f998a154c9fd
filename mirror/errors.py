"""Every error an administrator can meet: one class, one sentence, one stable code, one exit code.

A sentence reads `what failed: which: what was observed; what to do (MIR-204)`. It is written once,
here, as a template; the place that raises gives only the facts. A code is never reused: an error
that went away leaves its number behind. This file imports nothing of the project.

Codes, by hundreds, each family in its own section below:

    1xx  configuration, packages, command line      5xx  capture, apply, native library
    2xx  this host: addresses, directories, scripts 6xx  decisions: who may serve, roles, forces
    3xx  protocols: local, between nodes, security  7xx  lab
    4xx  control plane, processes, waiting          8xx  web console and API
"""

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

# Exit codes of every command. `state -lq` is the one exception: it has SafeKit's (0 STOP, 1 WAIT,
# 2 ALONE or UP, 3 PRIM, 4 SECOND), because scripts in the field compare with those numbers.
EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_REACHABLE = 3
EXIT_TIMED_OUT = 4
EXIT_CONFIG_REFUSED = 5

EXIT_CODES: dict[int, str] = {
    EXIT_OK: "done",
    EXIT_FAILED: "failed, or refused by the node",
    EXIT_USAGE: "the command line was not understood",
    EXIT_NOT_REACHABLE: "the node does not answer: is `mirror node` running?",
    EXIT_TIMED_OUT: "waited for as long as was asked, in vain",
    EXIT_CONFIG_REFUSED: "the configuration was refused; nothing was changed",
}


class MirrorError(Exception):
    """Base of all: a subclass gives `code`, `sentence` (a str.format template), maybe `exit_code`.

    facts: exactly the names used in the template, checked at once so that a wrong call fails in
    its first test and not while an administrator waits for an explanation. Never a secret.
    """

    code: str = ""
    exit_code: int = EXIT_FAILED
    sentence: ClassVar[str] = ""

    def __init__(self, **facts: object) -> None:
        expected = fact_names(type(self))
        assert set(facts) == expected, f"{type(self).__name__}: {set(facts)} is not {expected}"
        self.facts = facts
        super().__init__(f"{self.sentence.format(**facts)} ({self.code})")


def fact_names(error: type[MirrorError]) -> frozenset[str]:
    """Names of the facts that the sentence of this class needs."""
    parts = string.Formatter().parse(error.sentence)
    return frozenset(name for _, name, _, _ in parts if name)


def every_error() -> Iterator[type[MirrorError]]:
    """All classes with a code that are imported, parents before children."""
    pending: list[type[MirrorError]] = [MirrorError]
    while pending:
        error = pending.pop(0)
        pending.extend(error.__subclasses__())
        if error.code:
            yield error


# --- 1xx configuration, packages, command line ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing wrong in one file. line: 1 is the first, 0 when no line can be named."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        """Render as `file:line: sentence`, the form editors jump to."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.sentence}"


class ConfigRefused(MirrorError):
    """A configuration is wrong; `refusals` holds everything found, never only the first."""

    code = "MIR-101"
    exit_code = EXIT_CONFIG_REFUSED
    sentence = "configuration refused: {file}: {count} found; correct and try again:\n{listing}"

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.refusals = tuple(sorted(refusals, key=lambda refusal: (refusal.file, refusal.line)))
        assert self.refusals
        super().__init__(
            file=self.refusals[0].file,
            count=f"{len(self.refusals)} error" + ("s" if len(self.refusals) > 1 else ""),
            listing="\n".join(f"  {refusal}" for refusal in self.refusals),
        )


class ModuleUnknown(MirrorError):
    """No module of this name is installed (or, for the active one, configured)."""

    code = "MIR-102"
    sentence = "no such module: {module}: {observed}; `module list` shows those installed"


class ModuleNameRefused(MirrorError):
    """The name cannot be used as a module name."""

    code = "MIR-103"
    sentence = (
        "module name refused: {module}: {observed};"
        " use 1 to 32 letters, digits, '-' or '_', beginning with a letter"
    )


class ModuleNotGiven(MirrorError):
    """A command needs -m and SAFEMODULE is not set."""

    code = "MIR-104"
    exit_code = EXIT_USAGE
    sentence = "no module given: {verb}: neither -m nor SAFEMODULE is set; add -m MODULE"


class PackageRefused(MirrorError):
    """A .safe file holds something that may not be unpacked."""

    code = "MIR-105"
    sentence = "package refused: {file}: {observed}; build it again with `module package`"


class ModuleInUse(MirrorError):
    """The module is configured, so its files may not be taken away or replaced."""

    code = "MIR-106"
    sentence = "module in use: {module}: {observed}; {remedy}"


class ModuleIdRefused(MirrorError):
    """The wanted module id is taken or out of range."""

    code = "MIR-107"
    sentence = "module id refused: {module_id}: {observed}; `module listid` shows those taken"


class FileNotReadable(MirrorError):
    """A file named by the administrator cannot be read or written."""

    code = "MIR-108"
    sentence = "cannot use file: {file}: {observed}; check the path and its rights"


class ClusterNotConfigured(MirrorError):
    """There is no cluster.xml yet."""

    code = "MIR-109"
    sentence = "no cluster: {file}: no such file; `cluster config FILE` makes one"


class UnitRefused(MirrorError):
    """A duration or a size could not be read."""

    code = "MIR-110"
    sentence = "{what}: {text!r}: {observed}; {allowed}"


class CommandNotYet(MirrorError):
    """A SafeKit command that this version knows by name only."""

    code = "MIR-111"
    sentence = "not in this version: {verb}: {observed}; {remedy}"


class ScriptRefusedConfig(MirrorError):
    """A script of the module (config, postconfig, confcheck) said no."""

    code = "MIR-112"
    exit_code = EXIT_CONFIG_REFUSED
    sentence = "configuration refused by a script: {script}: {observed}; see {log}"


class ResourceUnknown(MirrorError):
    """The module has no resource of this name."""

    code = "MIR-113"
    sentence = "no such resource: {resource} of {module}: {observed}; `state -v` lists them"


class ClusterInviteRefused(MirrorError):
    """An invitation to a cluster cannot be made or used."""

    code = "MIR-114"
    sentence = "cluster invitation refused: {what}: {observed}; {remedy}"


class TokenRefused(MirrorError):
    """A word given as a token is none."""

    code = "MIR-115"
    sentence = "token refused: `cluster join`: {observed}; paste what `cluster token` printed"


class JoinFailed(MirrorError):
    """A node could not join, or nobody came to join."""

    code = "MIR-116"
    sentence = "not joined: {where}: {observed}; {remedy}"


# --- 2xx this host: addresses, directories, scripts ----------------------------------------------


class HostProbeFailed(MirrorError):
    """Something about this host could not be found out."""

    code = "MIR-201"
    sentence = "cannot inspect this host: {what}: {observed}; {remedy}"


class AddressInUse(MirrorError):
    """Somebody else on the network answers for the virtual address; `mac` says who."""

    code = "MIR-204"
    sentence = (
        "cannot take virtual ip: address={address} interface={interface}:"
        " answered by {mac}; stop the other holder"
    )

    @property
    def mac(self) -> str:
        """Hardware address of the other holder, as aa:bb:cc:dd:ee:ff."""
        return str(self.facts["mac"])


class InterfaceNotFound(MirrorError):
    """No interface of this host is on the network of the virtual address."""

    code = "MIR-205"
    sentence = (
        "no interface for virtual ip: {address}: {observed};"
        " name one with <interface name=...> or give this host an address of that network"
    )


class AddressNotReleased(MirrorError):
    """The virtual address is still on this host after it was removed."""

    code = "MIR-206"
    sentence = (
        "cannot release virtual ip: {address}: {observed};"
        " remove it with `ip address del` before the other node may take it"
    )


class RecordTorn(MirrorError):
    """A durable record is not what was written: torn, or edited by hand. Never guessed at."""

    code = "MIR-207"
    sentence = (
        "durable record refused: {file}: {observed};"
        " this node cannot prove what it holds, an administrator decides with `second fullsync`"
    )


class RecordNotWritten(MirrorError):
    """A durable record could not be put on disk; what depended on it must not happen."""

    code = "MIR-208"
    sentence = "durable record not written: {file}: {observed}; check that disk"


class ScriptNotStarted(MirrorError):
    """A script of the module is there, but could not be executed."""

    code = "MIR-209"
    sentence = "script not started: {script}: {observed}; make it executable, with a #! line"


class ProcessesRemain(MirrorError):
    """Processes of the application live on after they were killed (uninterruptible, likely)."""

    code = "MIR-210"
    sentence = (
        "application not ended: {group}: {observed};"
        " the other node must not start it before this host is rebooted"
    )


class NetworkNotSet(MirrorError):
    """The kernel refused a change of addresses or routes."""

    code = "MIR-211"
    sentence = "network setting refused: {what}: {observed}; check the interface and its rights"


# --- 3xx protocols: local, between nodes, security -----------------------------------------------


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
    """The other end answered with an error: its code, sentence and exit code are kept as they are.

    The sentence already ends with its own code, hence the plain rendering.
    """

    code = "MIR-303"
    sentence = "{remote_sentence}"

    def __init__(self, *, remote_code: str, remote_sentence: str, remote_exit_code: int) -> None:
        super().__init__(remote_sentence=remote_sentence)
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


# --- 4xx control plane, processes, waiting -------------------------------------------------------


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


# --- 5xx capture, apply, native library ----------------------------------------------------------


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


# --- 6xx decisions: who may serve, roles, forces -------------------------------------------------


class CommandRefused(MirrorError):
    """The module cannot do what was asked, now."""

    code = "MIR-601"
    sentence = (
        "command refused: {module}: {verb}: {observed}; `state -m {module}` shows where it is"
    )


# --- 7xx lab -------------------------------------------------------------------------------------


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


# --- 8xx web console and API ---------------------------------------------------------------------


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
