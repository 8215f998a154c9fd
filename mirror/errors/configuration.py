"""Errors 1xx: configuration, packages, command line."""

from collections.abc import Iterable
from dataclasses import dataclass

from mirror.errors.base import EXIT_CONFIG_REFUSED, EXIT_USAGE, MirrorError


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing wrong in one file. line: 1 is the first, 0 when no line can be named."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        """Render as `file:line: sentence`, the form editors jump to."""
        return f"{self.place}: {self.sentence}"

    @property
    def place(self) -> str:
        """Its file, and line where there is one."""
        return f"{self.file}:{self.line}" if self.line else self.file


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
    sentence = (
        "no cluster: {file}: no such file; `cluster init` begins one, `cluster join` joins one"
    )


class UnitRefused(MirrorError):
    """A duration or a size could not be read."""

    code = "MIR-110"
    sentence = "{what}: {text!r}: {observed}; {allowed}"


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


class HelperUnknown(MirrorError):
    """`-r NAME`: there is no such program in SAFEBIN."""

    code = "MIR-130"
    exit_code = EXIT_USAGE
    sentence = "no such helper: {name}: not in {directory}; it has {known}"


class CommandNotSent(MirrorError):
    """A command line that may not travel to other nodes, or hosts that are none."""

    code = "MIR-131"
    exit_code = EXIT_USAGE
    sentence = "not sent to other nodes: {what}: {observed}; nothing was done anywhere"


class BootSettled(MirrorError):
    """`boot on|off` where userconfig.xml has the last word."""

    code = "MIR-132"
    sentence = (
        "boot not changed: {module}: userconfig.xml says {observed};"
        ' write boot="ignore" there, `config` it, and try again'
    )


class ServiceRefused(MirrorError):
    """The systemd service cannot be installed or removed."""

    code = "MIR-133"
    sentence = "service not changed: mirror.service: {observed}; {remedy}"


class UsageRefused(MirrorError):
    """The words of a command line are not those of the command."""

    code = "MIR-134"
    exit_code = EXIT_USAGE
    sentence = "command not understood: {command}: {observed}; `{command} --help` shows how"
