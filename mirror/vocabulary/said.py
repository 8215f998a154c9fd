"""Sentences that know what they were made of, so that a reader of another language has them too.

A `Said` is its English sentence, and is used as one. Beside it stand a code and the facts that it
names; the console has a French sentence for every code (webconsole/src/i18n/said.fr.json), and
shows the English one where it has none. Codes: those of TEMPLATES; `MIR-601` of an error;
`row.O04`, `proof.P03`, `case.E08` and `generation.G12` of the tables. A code keeps its meaning.
"""

import json
from collections.abc import Mapping
from functools import reduce
from typing import Any, Self

from mirror.errors import ConfigRefused, MirrorError
from mirror.vocabulary import said_config, said_host, said_modules, said_outside, said_web
from mirror.vocabulary.facts import Proof

Facts = Mapping[str, object]

# One sentence a code, as a str.format template. Several facts of one name stand with commas.
TEMPLATES: dict[str, str] = {
    **said_config.TEMPLATES,
    **said_web.TEMPLATES,
    **said_outside.TEMPLATES,
    **said_modules.TEMPLATES,
    **said_host.TEMPLATES,
    # why a node does not serve
    "wait.first_answer": "Waiting for the first answer of {resource} (rule {rule})",
    "wait.rule": "Failover rule {rule} holds: {resources}",
    "wait.blank": (
        "Data may be not uptodate for replicated directories: no node was ever primary"
        " here; if you are sure that this node has valid data, run `prim` on it"
    ),
    "wait.target": (
        "Data may be inconsistent for replicated directories (stopped during reintegration)"
    ),
    "wait.disk_failed": ("Data may be inconsistent for replicated directories (this disk failed)"),
    "wait.misfit": "The disk does not fit the record: restored, emptied or not mounted",
    "wait.split": (
        "Split brain: both nodes changed data alone; compare with `kept changed` on both,"
        " then `prim` on the one to keep: the other's versions are kept aside"
    ),
    **{
        f"wait.{proof.name.lower()}": f"Data may be not uptodate: {proof.value}"
        for proof in Proof
        if proof is not Proof.PROVEN
    },
    "wait.not_complete": "Data may be not uptodate here",
    "wait.failover_off": "Failover is off: an administrator decides",  # its data are no reason
    "wait.witness": "The witness does not allow it: {observed}",
    "wait.syncat": "Waiting for the next scheduled synchronisation (syncat)",
    "rule.is": "{name} is {value}",
    "rule.other_node": "the other node",
    "witness.held": "the witness says that {nodes} may serve",
    "witness.nobody": "the witness says that nobody may serve",
    "witness.ping": "no witness answers the ping",
    "witness.changed": "the witness was changed by the other node meanwhile",
    # why a reintegration was refused
    "reintegration": "Reintegration: {observed}",
    "reintegration.refused": "{why} (row {row})",
    "reintegration.serves": "this node serves, but {why} (row {row})",
    # what a command does
    "command.starts": "{module} starts",
    "command.stops": "{module} stops",
    "command.swaps": "{module}: the roles are exchanged",
    "command.accepted": "{module}: {verb} accepted",
    "command.all_stop": "{count} modules stop",
    # why a command is refused
    "refused.unknown": "unknown command: {verb}",
    "refused.peer_is_primary": "{peer} is primary: stop it first, or start this node",
    "refused.inconsistent": (
        "Data may be inconsistent for replicated directories (stopped during"
        " reintegration): only `primforce` starts it, and some data will be lost"
    ),
    "refused.nobody_to_follow": "{peer} is not primary: nothing to be the secondary of",
    "refused.nobody_to_swap_with": "{peer} is not SECOND (Ready): nobody to swap with",
    "refused.stopping": "the module is stopped, or is stopping",
    # what is best done at a first start
    "first.serves": "{node} serves; nothing is to be chosen.",
    "first.away": ("{node} does not answer: what it holds is not known. Wait for it if you can."),
    "first.unread": "A record cannot be read: look at both directories before you choose.",
    "first.source": ("{node} would be the source ({why}); `start` both nodes, and it is done so."),
    "first.only": "Only {node} has files: start it with `prim`, then the other node.",
    "first.blank": "Start the node with the good data with `prim`, then the other node.",
    "first.refused": "They refuse to choose: {why}.",
    # why it was stopped
    "stops.not_stopped": "Not stopped yet: {observed}",
    "stops.not_recorded": "Not recorded yet: {observed}; forcestop ends the module without that",
    "stopped.maxloop": "Stopped by maxloop: it was restarted too often",
    "stopped.maxloop_by": "Stopped by maxloop: it was restarted too often, at last by: {observed}",
    # why a node is not heard
    "node.silent": "silent for more than {seconds} s",
    "node.not_running": "it is not running",
    "node.ended": "its console ended the stream",
    "node.answers": "its console answers {status}",
    "node.mute": "The control plane of {node} is not heard; its data plane answers",
    # of a verification: whose copy is believed, why it ended, what is left to do
    "verify.serves": "it serves: the application has been reading its copy",
    "verify.asked": "it was asked to end",
    "verify.checkpoints": "the checkpoints do not go on",
    "verify.unread": "the secondary cannot read {path}",
    "verify.names_follow": "names are made equal by a reintegration, which follows",
    "verify.unmended": "{count} links or devices differ; remove and make them again",
    # why a version that was kept aside is not restored
    "kept.not_serving": "this node does not serve",
    "kept.no_such": "none has it",
    "kept.several": "several have it",
    "kept.directory": "a directory stands there",
    "kept.stopped": "the module does not run here",
    "kept.failed": "{path}: {observed}",
    "kept.failed_more": "{path}: {observed}, and {count} more",
    # what is wrong with a disk
    "disk.nearly_full": "Disk nearly full: {directory}: {percent} % used, {free_mib} MiB left",
    # what a story tells
    "whatif.no_power": "no power",
    "whatif.no_resource": "no resource; classes: {known}",
    "whatif.no_event": "no such event; known: {known}",
    "whatif.form": "`{form}` is expected, with a node of {nodes}",
    "whatif.off": "{node} is without power",
    "whatif.runs": "{node} runs already",
    "whatif.many": "at most {count} events",
    "whatif.saved": "the saved state",
    "whatif.not_said": "it does not say where {nodes} stand: {observed}",
    "broken.two_run": "invariant 8: start_prim on {node} while it runs on {other}",
    "broken.verb": "invariant 2: {node} {verb} with {nodes} on disk",
    "broken.partial": "invariant 3: partial from {node}, and the copies differ",
    "broken.discarded": "invariant 7: {writes} discarded on {node}",
    "broken.acknowledges": "invariant 4: {node} acknowledges, its record says {nodes}",
    "broken.acknowledges_alone": "invariant 2: {node} acknowledges alone: {nodes}",
    "broken.both_acknowledge": "invariant 6: both nodes acknowledge changes",
    "broken.serves_without": "invariant 5: {node} begins to serve without {writes}",
}


class Said(str):
    """An English sentence, with its code and its facts; a fact may be a `Said`, or a list."""

    __slots__ = ("code", "facts")
    code: str
    facts: Facts

    def __new__(cls, sentence: str = "", code: str = "", facts: Facts | None = None) -> Self:
        """Nothing but the sentence takes part in comparing and hashing."""
        made = super().__new__(cls, sentence)
        made.code, made.facts = code, dict(facts or {})
        return made


class Misread(ValueError):
    """A text is not what is wanted; `observed` says what stands there."""

    def __init__(self, observed: Said) -> None:
        super().__init__(str(observed))
        self.observed = observed


def say(code: str, **facts: object) -> Said:
    """Give the sentence of a code of TEMPLATES."""
    written = {name: _written(fact) for name, fact in facts.items()}
    return Said(TEMPLATES[code].format(**written), code, facts)


def said_of(error: BaseException) -> Said:
    """Give the sentence of what was raised; one of ours keeps its code and its facts."""
    match error:
        case MirrorError():
            return Said(str(error), error.code, error.facts)
        case Misread():
            return error.observed
        case _:
            return Said(str(error))


def facts_of(error: MirrorError | Said) -> dict[str, Any]:
    """Give the facts of an error, or of a sentence, for a message."""
    facts = {name: _part(fact) for name, fact in error.facts.items()}
    if isinstance(error, ConfigRefused):  # these two are English, put together below the words
        count = len(error.refusals)
        told = say("config.error_count" if count == 1 else "config.errors_count", count=count)
        listing = (say("config.at", place=one.place, why=one.sentence) for one in error.refusals)
        facts["count"] = parts_of(told)
        facts["listing"] = parts_of(
            reduce(lambda one, other: say("config.and", one=one, other=other), listing)
        )
    return facts


def parts_of(sentence: str) -> dict[str, Any] | None:
    """Take a sentence apart for a message; None when there is nothing but the sentence."""
    if not isinstance(sentence, Said) or not sentence.code:
        return None
    facts = {name: _part(fact) for name, fact in sentence.facts.items()}
    return {"code": sentence.code, "facts": facts, "text": str(sentence)}


def kept(sentence: str) -> str:
    """Write the parts of a sentence for a file; "" when there is nothing but the sentence."""
    parts = parts_of(sentence)
    return json.dumps(parts, ensure_ascii=False) if parts else ""


def from_parts(parts: object, sentence: str) -> str:
    """Put together again what `parts_of` gave; the plain sentence when it gave nothing."""
    if not isinstance(parts, Mapping) or not isinstance(parts.get("facts"), Mapping):
        return sentence
    return Said(sentence, str(parts.get("code") or ""), parts["facts"])


def _written(fact: object) -> str:
    return ", ".join(str(one) for one in fact) if isinstance(fact, list) else str(fact)


def _part(fact: object) -> object:
    match fact:
        case Said():
            return parts_of(fact) or str(fact)
        case list():
            return [_part(one) for one in fact]
        case Mapping():  # parts already, of another process
            return dict(fact)
        case bool() | int() | float():
            return fact
        case _:
            return str(fact)
