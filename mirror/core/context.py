"""What the engine knows, and the facts it makes of it for the tables.

One mutable value per engine; only the engine and the functions it calls change it. Times are the
driver's milliseconds (boot clock). Nothing here decides: decisions stand in the three tables.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mirror.core import election, generations
from mirror.core.rules import Hold, Judging, RuleFacts
from mirror.core.rules.machine import hold
from mirror.core.settings import OFFER_BACKOFF_MS, Settings
from mirror.vocabulary.events import CommandAsked, RootSeen
from mirror.vocabulary.facts import (
    ElectionFacts,
    FenceSays,
    Hearing,
    Proof,
    ProofFacts,
    Which,
    WitnessKind,
    WitnessSays,
)
from mirror.vocabulary.record import GENERATION_BYTES, Record
from mirror.vocabulary.said import say
from mirror.vocabulary.states import SERVING, Goal, ScreenWord, State
from mirror.vocabulary.words import Offer, Word

IN_STEP = frozenset({State.SECOND, State.ORPHANED, State.SETTLING})


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
    awoke_in: str = ""  # the session in which this secondary stood still: see `is_unsure`
    awoke_ms: int = 0
    offer: Offer | None = None
    offered_ms: int = 0
    leading: bool = False
    offer_after_ms: int = 0
    offer_backoff_ms: int = OFFER_BACKOFF_MS
    refusal: str = ""
    ready_for: str = ""
    parted: str = ""  # left at the primary's word, before this node's data plane said why
    confirmed: str = ""
    sync_generation: str = ""
    offer_seen: str = ""
    promises_out: str = ""
    owes_out: str = ""  # it is out of this session, and its record does not say so yet
    swap_due: bool = False
    swap_seen: str | None = ""  # None: the first one heard was asked of an earlier control plane
    asks_swap: str = ""
    split_seen: bool = False
    sync_due: bool = False  # a synchronisation is due by the schedule of syncat
    synced_ms: int | None = None  # when it was last in step; before this boot: negative
    superseded: tuple[str, frozenset[str]] | None = None  # what a peer that gave way served with
    peer_began: bool = False  # the peer was seen to start since this node went on alone
    wants_back: bool = False  # lastprim: it was primary before its last stop

    # what was asked
    intent: str = ""  # "", prim, primforce, second, second fullsync
    goal: Goal = Goal.STOP
    left_from: State = State.STOP
    left_why: str = ""  # what failed, when nobody asked to leave
    restart_extra: tuple[str, ...] = ()  # arguments for the scripts of the restart asked last
    deferred: list[CommandAsked] = field(default_factory=list)
    loops_ms: list[int] = field(default_factory=list)
    loops_shown: int = -1
    awaits_admin: bool = False  # failover is off and its primary is gone: only `prim` promotes it
    trusts_before_s: int = 0  # secondforce: what was not modified since then is equal, by word
    wants_full_peer: bool = False  # `prim fullsync`: the other node is compared as a whole

    # what checkers, scripts and switches say
    resources: dict[str, str] = field(default_factory=dict)
    judging: Judging = field(default_factory=Judging)
    switches: dict[str, bool] = field(default_factory=dict)
    held: Hold | None = None

    # what is in hand
    plan_id: int = 0  # 0: nothing in hand
    plan_count: int = 0
    failure: str = ""
    retry_ms: int | None = None
    frozen_ms: int = 0
    witness: WitnessSays = WitnessSays.UNASKED
    witness_again_ms: int = 0
    witness_behind: bool = False  # it could not be told what the record says
    fence: FenceSays = FenceSays.UNASKED
    fence_again_ms: int = 0
    fence_due_ms: int | None = None  # the delay of the fencing agent, once it is wanted
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

    def note_time(self, now_ms: int) -> None:
        """Note that this moment was lived, in step or not."""
        self.last_ms = now_ms
        if self.in_step and self.state in {State.PRIM, State.SECOND}:
            self.synced_ms = now_ms

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

    def mute_ms(self, now_ms: int) -> int:
        """Tell for how long the peer says nothing while its link lives; 0: it speaks, or is lost.

        Its control plane ended, or its heartbeats are lost on the way; its data plane answers.
        """
        if self.heard_ms is None or self.word_now(now_ms) is None:
            return 0
        silent_ms = now_ms - self.heard_ms
        return silent_ms if silent_ms > self.settings.timeout_ms else 0

    def peer_serves(self, now_ms: int) -> bool:
        """Tell whether the peer is heard and says that it serves."""
        word = self.word_now(now_ms)
        return word is not None and word.state in SERVING

    def peer_out(self) -> bool:
        """Tell whether the peer promised not to serve in our session; a promise does not age."""
        return self.peer_word is not None and self.peer_word.out_of(self.session)

    def is_unsure(self) -> bool:
        """Tell whether the primary may have gone on alone while this secondary stood still."""
        in_question = self.state in {State.SECOND, State.ORPHANED}
        return in_question and self.awoke_in != "" and self.awoke_in == self.session

    def primary_out(self, now_ms: int) -> bool:
        """Tell whether the former primary serves no more: its promise, or its own record.

        Only an orphan may read the record so: a primary may hold a word of its target from before
        the pairing, which said the same of a mixture that is complete by now.
        """
        word = self.word_now(now_ms)
        if self.state is not State.ORPHANED or word is None:
            return self.peer_out()
        idle = word.state not in SERVING and word.state is not State.LEAVING
        renounced = idle and self.settings.peer not in word.record.may_serve
        return self.peer_out() or renounced or self.primary_fell(word)

    def primary_fell(self, word: Word) -> bool:
        """Tell whether the primary was started again, within the timeout, and never went on alone.

        It ended without a word to us, and its disk may lack what it had only in memory; whoever is
        in step has it all. WAIT comes after its application was ended and its directories covered.
        """
        return (
            word.state is State.WAIT
            and self.settings.node in word.record.may_serve
            and word.record.current == self.record.current
        )

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
        source = word is not None and self._is_source(word)
        facts = ProofFacts(
            hearing=hearing,
            peer_out=self.primary_out(now_ms),
            in_step=self.in_step,
            complete=self.complete(),
            sole=self.record.may_serve == {self.settings.node},
            source=source,
            failover_allowed=self.failover_allowed(),
            disputed=self.disputed(now_ms),
            recent=self._recent(now_ms),
        )
        return election.prove(facts)

    def _is_source(self, word: Word) -> bool:
        """Tell whether this node is the source, whatever the peer does next.

        Who is in step and did not fall stands above who comes back, whatever its role was; and
        what one that closes writes last, that it stopped in order, may set it above this node.
        """
        if word.state is State.CLOSING or (word.state in IN_STEP and not self.in_step):
            return False
        return self.judgement(word).source is Which.ME

    def undecided(self, word: Word) -> bool:
        """Tell whether these two went on alone and nobody chose one of them (policy="ask")."""
        if not self.settings.ask or not self.judgement(word).split:
            return False
        return (self.record.split == "chosen") == (word.record.split == "chosen")

    def disputed(self, now_ms: int) -> bool:
        """Tell whether an administrator has to choose: seen now, or before and recorded."""
        if self.settings.ask and self.record.split == "seen":
            return True
        word = self.word_now(now_ms)
        return word is not None and self.undecided(word)

    def _recent(self, now_ms: int) -> bool:
        """Tell whether this copy is consistent and young enough for syncdelta."""
        record, delta_ms = self.record, self.settings.syncdelta_ms
        mixed = record.target_of or record.inconsistent or self.damaged()
        if record.blank or mixed or self.synced_ms is None or not self.failover_allowed():
            return False
        return 0 <= now_ms - self.synced_ms < delta_ms

    def case(self, now_ms: int) -> tuple[election.ProofRow, election.Case]:
        """Say whether this node may serve."""
        proof = self.proof(now_ms)
        facts = ElectionFacts(
            peer_serves=self.peer_serves(now_ms),
            proof=proof.proof,
            witness=self._witness_fact(now_ms),
            forced=self.intent in {"prim", "primforce"},
            asked_second=self.intent.startswith("second"),
            held=self.held is not None,
            fence=self._fence_fact(proof.proof, now_ms),
        )
        return proof, election.decide(facts)

    def failover_allowed(self) -> bool:
        """Without failover a SECOND waits for people; a PRIM that is parted goes on."""
        if self.state is State.FREEZING or self.switch("failover", default=self.settings.failover):
            return True
        return not (self.in_step or self.awaits_admin)

    def _fence_fact(self, proof: Proof, now_ms: int) -> FenceSays:
        """Who hears nothing would go on, or start, beside a host that may still run.

        Both roles ask: what a primary acknowledged while it is being switched off would be lost.
        But not one that etcd granted it to: the other is denied, so nobody will switch it off.
        """
        starts = self.state is State.ORPHANED
        starts = starts or (self.state is State.WAIT and proof is Proof.RECENT)
        goes_on = self.state is State.FREEZING and not self.granted_by_etcd()
        silent = self.hearing(now_ms) is Hearing.SILENT
        if not self.settings.fence or not (starts or goes_on) or not silent:
            return FenceSays.NOT_NEEDED
        return FenceSays.NOT_NEEDED if self.primary_out(now_ms) else self.fence

    def granted_by_etcd(self) -> bool:
        """Tell whether nobody but this node can be allowed to serve any more."""
        etcd = self.settings.witness is WitnessKind.ETCD
        return etcd and self.witness is WitnessSays.GRANTS

    def _witness_fact(self, now_ms: int) -> WitnessSays:
        kind = self.settings.witness
        if kind is WitnessKind.NONE:
            return WitnessSays.NOT_CONFIGURED
        # SafeKit's ping witness is asked only when no heartbeat is heard.
        if kind is WitnessKind.PING and self.hearing(now_ms) is Hearing.HEARD:
            return WitnessSays.NOT_CONFIGURED
        if self.witness is WitnessSays.REFUSES and self._peer_renounced(now_ms):
            return WitnessSays.NOT_CONFIGURED
        return self.witness

    def _peer_renounced(self, now_ms: int) -> bool:
        """Tell whether the peer, heard now, does not serve and durably says that it may not.

        The witness may have granted it before it heard of us and went out: then nobody else may
        serve, and the peer will not. Its record outlives the grant, so it stands above it.
        """
        word = self.word_now(now_ms)
        if (
            word is None
            or word.record.blank
            or word.state in SERVING
            or word.state is State.LEAVING
        ):
            return False
        return self.settings.peer not in word.record.may_serve

    # --- what the rules look at ---

    def switch(self, name: str, *, default: bool = True) -> bool:
        """Tell how `errd|checker|failover on|off` stands."""
        return self.switches.get(name, default)

    def rule_facts(self, now_ms: int) -> RuleFacts:
        """Give the resources of both nodes; checkers that are switched off count as up."""
        local = {**self.resources, "rfs.uptodate": "up" if self.complete() else "down"}
        if not self.switch("checker"):
            watched = {one.resource for one in self.settings.checkers}
            local |= dict.fromkeys(watched, "up")
        word = self.word_now(now_ms)
        cluster = {Hearing.SILENT: "down", Hearing.LISTENING: "unknown"}
        return RuleFacts(
            local=local,
            remote=dict(word.resources) if word is not None else {},
            cluster=cluster.get(self.hearing(now_ms), "up"),
        )

    def look_at_hold(self, now_ms: int) -> None:
        """See whether a wait rule keeps this node from serving or joining.

        A SECOND without its primary is not kept by a checker that has not spoken: the application
        is down, and the checker will speak.
        """
        self.held = None
        if self.state in {State.WAIT, State.ORPHANED}:
            found = hold(self.settings.rules, self.rule_facts(now_ms))
            initial = found is not None and found.initial
            self.held = None if initial and self.state is State.ORPHANED else found

    def waiting_reason(self, proof: Proof) -> str:  # noqa: PLR0911 - one line a reason
        """Say in a sentence why this node does not serve."""
        if self.held is not None:
            return self.held.reason
        if self.record.blank:
            return say("wait.blank")
        if self.record.target_of:
            return say("wait.target")
        if self.record.inconsistent:
            return say("wait.disk_failed")
        if self.damaged():
            return say("wait.misfit")
        if proof is Proof.DISPUTED:
            return say("wait.split")
        return say(f"wait.{proof.name.lower()}") if proof is not Proof.PROVEN else ""
