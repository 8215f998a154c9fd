"""What the engine knows, and the facts it makes of it for the tables.

One mutable value per engine; only the engine and the functions it calls change it. Times are the
driver's milliseconds (boot clock). Nothing here decides: decisions stand in the three tables.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mirror.core import election, generations
from mirror.core.settings import OFFER_BACKOFF_MS, Settings
from mirror.vocabulary.events import CommandAsked, RootSeen
from mirror.vocabulary.facts import (
    ElectionFacts,
    Hearing,
    Proof,
    ProofFacts,
    Which,
    WitnessKind,
    WitnessSays,
)
from mirror.vocabulary.record import GENERATION_BYTES, Record
from mirror.vocabulary.states import SERVING, Goal, ScreenWord, State
from mirror.vocabulary.words import Offer, Word


@dataclass(slots=True)
class Context:
    """See the module. Fields are grouped by where they come from."""

    settings: Settings
    seed: bytes  # random, given once; every fresh identity is derived from it
    incarnation: str
    record: Record  # the durable one, never a wished one
    state: State = State.STOP  # assigned by engine.py only
    row: str = ""
    reason: str = ""
    fresh_count: int = 0

    # the peer
    peer_word: Word | None = None
    heard_ms: int | None = None
    listening_since_ms: int = 0
    alive_ms: int | None = None  # the link carried something of the peer

    # this disk
    roots: tuple[RootSeen, ...] | None = None
    misfit: bool = False  # as found at the start; a new generation of the data ends it
    checkpoint: int = 0
    data_lost: bool = False
    fault: bool = False
    drained_equal: bool | None = None

    # the session
    session: str = ""
    link: bool = False
    in_step: bool = False
    offer: Offer | None = None
    offered_ms: int = 0
    leading: bool = False
    offer_after_ms: int = 0
    offer_backoff_ms: int = OFFER_BACKOFF_MS
    refusal: str = ""
    ready_for: str = ""
    confirmed: str = ""
    sync_generation: str = ""
    offer_seen: str = ""
    promises_out: str = ""
    asked_out: str = ""
    swap_due: bool = False
    swap_seen: str = ""
    asks_swap: str = ""
    split_seen: bool = False

    # what was asked
    intent: str = ""  # "", prim, primforce, second, second fullsync
    goal: Goal = Goal.STOP
    left_from: State = State.STOP
    left_why: str = ""  # what failed, when nobody asked to leave
    deferred: list[CommandAsked] = field(default_factory=list)
    loops_ms: list[int] = field(default_factory=list)

    # what is in hand
    plan_id: int = 0  # 0: nothing in hand
    plan_count: int = 0
    failure: str = ""
    retry_ms: int | None = None
    frozen_ms: int = 0
    witness: WitnessSays = WitnessSays.UNASKED
    witness_again_ms: int = 0
    witness_behind: bool = False  # it could not be told of the pair
    wished: Record | None = None  # the record that goes with what the witness was asked
    role: ScreenWord = ScreenWord.STOP  # whose start scripts have run
    last_ms: int | None = None

    # for people
    progress: Mapping[str, Any] = field(default_factory=dict)
    shown_remote: tuple[str, str] = ("", "")

    def fresh(self) -> str:
        """Give an identity nobody ever used; the seed is random, the count makes it unique."""
        self.fresh_count += 1
        text = self.seed + self.fresh_count.to_bytes(8, "big")
        return hashlib.blake2b(text, digest_size=GENERATION_BYTES).hexdigest()

    # --- facts ---

    def hearing(self, now_ms: int) -> Hearing:
        """Say what is known of the peer's life."""
        timeout_ms = self.settings.timeout_ms
        heard = [at for at in (self.heard_ms, self.alive_ms) if at is not None]
        if heard and now_ms - max(heard) <= timeout_ms:
            leaving = self.peer_word is not None and self.peer_word.state is State.LEAVING
            return Hearing.STOPPING if leaving else Hearing.HEARD
        if now_ms - self.listening_since_ms <= timeout_ms:
            return Hearing.LISTENING
        return Hearing.SILENT

    def word_now(self, now_ms: int) -> Word | None:
        """Give the peer's word while it is heard, None when it may be out of date."""
        alive = self.hearing(now_ms) in {Hearing.HEARD, Hearing.STOPPING}
        return self.peer_word if alive else None

    def peer_serves(self, now_ms: int) -> bool:
        """Tell whether the peer is heard and says that it serves."""
        word = self.word_now(now_ms)
        return word is not None and word.state in SERVING

    def peer_out(self) -> bool:
        """Tell whether the peer promised not to serve in our session; a promise does not age."""
        return self.peer_word is not None and self.peer_word.out_of(self.session)

    def primary_out(self, now_ms: int) -> bool:
        """Tell whether the former primary serves no more: its promise, or its own record.

        Only an orphan may read the record so: a primary may hold a word of its target from before
        the pairing, which said the same of a mixture that is complete by now.
        """
        word = self.word_now(now_ms)
        if self.state is not State.ORPHANED or word is None:
            return self.peer_out()
        idle = word.state not in SERVING and word.state is not State.LEAVING
        return self.peer_out() or (idle and self.settings.peer not in word.record.may_serve)

    def damaged(self) -> bool:
        """Tell whether the disk contradicts the record: restored, emptied, not mounted."""
        return self.misfit and not self.record.blank

    def disk_misfits(self) -> bool:
        """Compare the hidden numbers with the durable record, before anything changes either."""
        record, roots = self.record, self.roots or ()
        seen = {root.directory: root for root in roots}
        for directory, identity in record.roots:
            if directory not in seen or seen[directory].identity != identity:
                return True
        older = {record.base, *record.history} - {record.current, ""}
        return any(
            root.generation in older
            or (root.generation == record.current and root.checkpoint < record.checkpoint)
            for root in roots
        )

    def complete(self) -> bool:
        """Tell whether this node holds everything by its own durable record and its disk."""
        record = self.record
        return (
            not record.blank
            and self.settings.node in record.may_serve
            and not record.target_of
            and not record.inconsistent
            and not self.damaged()
        )

    def judgement(self, word: Word) -> generations.Row:
        """Compare with the peer: who would be the source."""
        mine = generations.Side(
            node=self.settings.node,
            record=self.record,
            serves=self.state in SERVING,
            damaged=self.damaged(),
            clean=False,
            wants_full=self.intent == "second fullsync",
        )
        peer = generations.Side(
            node=self.settings.peer,
            record=word.record,
            serves=word.state in SERVING,
            damaged=word.damaged,
            clean=word.clean,
            wants_full=word.wants_full,
        )
        return generations.judge(generations.compare(mine, peer))

    def proof(self, now_ms: int) -> election.ProofRow:
        """Say what this node can prove."""
        hearing = self.hearing(now_ms)
        word = self.word_now(now_ms)
        source = word is not None and self.judgement(word).source is Which.ME
        facts = ProofFacts(
            hearing=hearing,
            peer_out=self.primary_out(now_ms),
            in_step=self.in_step,
            complete=self.complete(),
            sole=self.record.may_serve == {self.settings.node},
            source=source,
            # Without failover a SECOND waits for people; a PRIM that is parted goes on.
            failover_allowed=self.settings.failover or self.state is State.FREEZING,
        )
        return election.prove(facts)

    def case(self, now_ms: int) -> tuple[election.ProofRow, election.Case]:
        """Say whether this node may serve."""
        proof = self.proof(now_ms)
        facts = ElectionFacts(
            peer_serves=self.peer_serves(now_ms),
            proof=proof.proof,
            witness=self._witness_fact(now_ms),
            forced=self.intent in {"prim", "primforce"},
            asked_second=self.intent.startswith("second"),
        )
        return proof, election.decide(facts)

    def _witness_fact(self, now_ms: int) -> WitnessSays:
        kind = self.settings.witness
        if kind is WitnessKind.NONE:
            return WitnessSays.NOT_CONFIGURED
        # SafeKit's ping witness is asked only when no heartbeat is heard.
        if kind is WitnessKind.PING and self.hearing(now_ms) is Hearing.HEARD:
            return WitnessSays.NOT_CONFIGURED
        return self.witness

    def waiting_reason(self, proof: Proof) -> str:
        """Say in a sentence why this node does not serve."""
        if self.record.blank:
            return (
                "Data may be not uptodate for replicated directories: no node was ever primary"
                " here; if you are sure that this node has valid data, run `prim` on it"
            )
        if self.record.target_of:
            return (
                "Data may be inconsistent for replicated directories"
                " (stopped during reintegration)"
            )
        if self.record.inconsistent:
            return "Data may be inconsistent for replicated directories (this disk failed)"
        if self.damaged():
            return "The disk does not fit the record: restored, emptied or not mounted"
        return f"Data may be not uptodate: {proof.value}" if proof is not Proof.PROVEN else ""
