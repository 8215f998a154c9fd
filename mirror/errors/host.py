"""Errors 2xx: this host: addresses, directories, scripts."""

from mirror.errors.base import MirrorError


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


class FenceFailed(MirrorError):
    """The fencing agent did not say that the other node is off."""

    code = "MIR-220"
    sentence = "not fenced: {peer}: {observed}; no takeover until it says off, or `prim` by hand"


class FenceNotUsable(MirrorError):
    """A program or a secret of <fence> cannot be used on this host."""

    code = "MIR-221"
    sentence = "cannot fence: {what}: {observed}; install the agent, or correct <fence>"


class WatchdogNotArmed(MirrorError):
    """The watchdog of <heart watchdog=...> does not count, so nothing may be served."""

    code = "MIR-222"
    sentence = (
        "watchdog not armed: {device}: {observed};"
        ' correct the device (a kernel without one has softdog), or write watchdog="off"'
    )
