"""A copy of the data that was carried to the other node by hand (rfssync external).

The copy has a name, the UID, which both administrators know. From it follows a generation: the
node that holds the data puts it into its history, the node with the copy takes it as its own. So
the table of generations says what follows, without a rule of its own: an earlier generation of the
peer, which is brought up to date by a full comparison, and a comparison sends only what differs.
A copy under another UID is unrelated data, and refused.
"""

import hashlib
from dataclasses import replace

from mirror.vocabulary.record import GENERATION_BYTES, HISTORY_MAX, Record
from mirror.vocabulary.said import say


def generation_of(module: str, uid: str) -> str:
    """Give the generation that stands for a copy of this name."""
    text = f"mirror rfssync external\n{module}\n{uid}".encode()
    return hashlib.blake2b(text, digest_size=GENERATION_BYTES).hexdigest()


def shipped(record: Record, generation: str) -> Record:
    """Note that a copy of this node's data goes by that generation."""
    older = tuple(each for each in record.history if each != generation)
    return replace(record, history=(generation, *older)[:HISTORY_MAX])


def restored(record: Record, generation: str, peer: str) -> Record:
    """Say that the copy is in this node's directories now; whatever was there is no more."""
    return Record(current=generation, may_serve=frozenset({peer}), term=record.term)


def forgotten(record: Record, generation: str) -> Record:
    """Undo either: the copy is not known any more, or this node holds nothing that is known."""
    if record.current == generation:
        return Record()
    return replace(record, history=tuple(each for each in record.history if each != generation))


def uncertain(record: Record, *, serves: bool) -> Record:
    """Compare everything when this node joins the next time (rfssync full).

    serves: the other one is the target then, and no index counts; else this node is.
    """
    return replace(record, base="") if serves else replace(record, inconsistent=True)


def refusal(record: Record, verb: str, node: str, *, stopped: bool) -> str:
    """Give the sentence with which a verb is refused; "" when it may be done.

    verb: prim, second, full. stopped: the module is stopped on this node; else it is ALONE.
    """
    if verb == "prim" and (record.blank or record.target_of or record.inconsistent):
        return say("shipped.not_whole")
    if verb == "second" and not stopped:
        return say("shipped.must_stop")
    only_here = record.may_serve == {node} and not record.blank
    if verb in ("second", "full") and stopped and only_here:
        return say("shipped.only_here")
    return ""
