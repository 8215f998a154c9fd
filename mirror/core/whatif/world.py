"""Two nodes on paper: production engines, ports that are values, data that are sets of writes.

`mirror simulate` tells stories in it, and the tests search all of its states. A step takes no
time, but for `pass_time`, in which heartbeats arrive wherever no direction is cut. A data plane
keeps the order of design 5, 8 and 10 in its plainest form; nothing here touches anything.
"""

import copy
from dataclasses import dataclass, field, replace

from mirror.core.engine import Engine
from mirror.core.settings import Settings
from mirror.core.whatif.values import NONE, SERVES, Broken, Disk, Node, Plane, Told, Writes
from mirror.core.witness_rule import Held, may_replace
from mirror.vocabulary.actions import (
    Action,
    AskWitness,
    CallData,
    CloseDataPlane,
    CloseGateNow,
    EnsureDataPlane,
    FreezeNow,
    KillApplication,
    PersistRecord,
    Plan,
    PlanAction,
    RunScripts,
    Say,
    TellWitness,
)
from mirror.vocabulary.events import (
    CommandAsked,
    Drained,
    Event,
    LinkLost,
    LinkUp,
    PeerHeard,
    PlanDone,
    PlanFailed,
    RecordPersisted,
    RootSeen,
    RootsIdentified,
    SourceInSync,
    TargetInSync,
    Ticked,
    WitnessAnswered,
    WitnessTold,
)
from mirror.vocabulary.facts import WitnessKind, WitnessSays
from mirror.vocabulary.said import say


@dataclass(slots=True)
class World:
    """One state. cut: senders whose words and connections do not arrive."""

    nodes: dict[str, Node]
    settings: dict[str, Settings]
    step_ms: int
    now_ms: int = 0
    witness: Held | None = None
    cut: frozenset[str] = frozenset()
    data_cut: bool = False
    witness_reachable: bool = True
    acknowledged: Writes = NONE
    written: int = 0
    excused: bool = False  # an administrator forced: what is lost is his choice
    budget: tuple[int, ...] = ()
    seeds: int = 0
    broken: list[str] = field(default_factory=list)  # rules, in a story that is told
    told: "list[Told] | None" = None  # what happened, where somebody wants to know

    @property
    def witness_used(self) -> bool:
        """Whether etcd decides between the two."""
        return any(one.witness is WitnessKind.ETCD for one in self.settings.values())

    def other(self, name: str) -> str:
        """Give the other node's name."""
        return next(one for one in self.nodes if one != name)

    def copy(self) -> "World":
        twin = copy.copy(self)
        twin.nodes = {name: node.copy() for name, node in self.nodes.items()}
        return twin

    # --- events ---

    def happen(self, name: str, event: Event) -> None:
        """Give an engine an event and perform what it notes; a plan waits for its steps."""
        node = self.nodes[name]
        assert node.engine is not None
        before = node.engine.state
        actions = node.engine.handle(event, self.now_ms)
        for action in actions:
            self._note(node, action)
        if self.told is not None:
            state = node.engine.state
            self.told.append(Told(self.now_ms, name, event, before, state, actions))

    def _note(self, node: Node, action: Action) -> None:
        match action:
            case Say(word):
                node.word = word
            case FreezeNow() if node.plane is not None and node.plane.gate == "open":
                node.plane = replace(node.plane, gate="frozen")
            case CloseGateNow() if node.plane is not None:
                node.plane = replace(node.plane, gate="closed")
            case Plan(plan_id, _, actions):
                node.todo, node.plan = actions, plan_id
            case _:
                pass

    def step_plan(self, name: str) -> None:
        """Perform the plan in hand up to and with the next action that others can notice."""
        node = self.nodes[name]
        while node.plan:
            if not node.todo:
                number, node.plan = node.plan, 0
                self.happen(name, PlanDone(number))
                return
            action, node.todo = node.todo[0], node.todo[1:]
            number = node.plan
            noticed = self._perform(name, node, action)
            if noticed or node.plan != number:
                return

    def _perform(self, name: str, node: Node, action: PlanAction) -> bool:
        match action:
            case PersistRecord(record):
                node.disk = replace(node.disk, record=record)
                self.excused = self.excused or record.forced
                self.happen(name, RecordPersisted(record))
                return True
            case AskWitness() | TellWitness():
                self._ask(name, action)
                return True
            case RunScripts(calls):
                names = {call.name for call in calls}
                if "start_prim" in names:
                    self._start_prim(name, node)
                if "stop_prim" in names:
                    node.app = False
                return "start_prim" in names
            case KillApplication(scripts):
                node.app = node.app and "start_prim" not in scripts
            case EnsureDataPlane():
                node.plane = node.plane or Plane()
            case CloseDataPlane():
                self.part(name, "closed")
                node.plane = None
            case CallData(verb, fields):
                return self._call(name, node, verb, dict(fields))
            case _:
                pass
        return False

    def _start_prim(self, name: str, node: Node) -> None:
        other = self.nodes[self.other(name)] if len(self.nodes) > 1 else Node(Disk())
        if other.app and not other.excused and not self.excused:
            self._break(say("broken.two_run", node=name, other=self.other(name)))
        node.app, node.excused = True, False

    def _ask(self, name: str, action: AskWitness | TellWitness) -> None:
        if not self.witness_reachable:
            asks = isinstance(action, AskWitness)
            silent = WitnessAnswered(WitnessSays.UNASKED, "no answer")
            self.happen(name, silent if asks else WitnessTold(done=False))
            return
        mine = (action.generation, action.may_serve)
        forced = isinstance(action, TellWitness) and action.forced
        granted = forced or may_replace(self.witness, mine, action.history, name)
        if granted:
            self.witness = (action.then_generation, action.then_may_serve)
        if isinstance(action, AskWitness):
            says = WitnessSays.GRANTS if granted else WitnessSays.REFUSES
            self.happen(name, WitnessAnswered(says, ""))
        else:
            self.happen(name, WitnessTold(granted))

    # --- the data plane ---

    def _call(  # noqa: C901, PLR0911, PLR0912 - one arm a verb
        self, name: str, node: Node, verb: str, fields: dict[str, object]
    ) -> bool:
        plane = node.plane
        if plane is None:
            self.fail(name, verb)
            return True
        session = str(fields.get("session") or "")
        match verb:
            case "cover":
                node.plane = replace(plane, mode="covered")
            case "identify":
                disk = node.disk
                root = RootSeen("/srv", disk.identity, disk.generation, 0, empty=not disk.writes)
                self.happen(name, RootsIdentified((root,)))
            case "adopt":
                node.disk = replace(node.disk, identity=node.disk.identity or "root")
            case "record_hidden":
                node.disk = replace(node.disk, generation=str(fields["generation"]))
            case "serve" | "go_alone":
                self._serve_alone(name, node, verb)
                return True
            case "gate":
                node.plane = replace(plane, gate="closed")
            case "drain":
                node.plane = replace(plane, gate="closed")
                self.happen(name, Drained(equal=True))
            case "unserve":
                self.part(name, "unserved")
                assert node.plane is not None
                node.plane = replace(node.plane, mode="idle", gate="closed")
            case "settle":
                self.part(name, "settled")
                assert node.plane is not None
                following = node.plane.mode in {"second", "following"}
                node.plane = replace(node.plane, mode="covered" if following else node.plane.mode)
                return True
            case "follow":
                aside, full = bool(fields["aside"]), bool(fields["full"])
                node.plane = Plane("following", "closed", session, NONE, full, aside)
                return True
            case "lead":
                return self._lead(name, node, session, full=bool(fields["full"]))
            case "confirm_sync":
                if session != plane.session:
                    self.fail(name, verb)
                else:
                    node.plane = replace(plane, confirmed=True)
                return True
            case _:
                raise AssertionError(verb)
        return False

    def fail(self, name: str, verb: str) -> None:
        """The plan in hand failed at this action."""
        node = self.nodes[name]
        number, node.plan, node.todo = node.plan, 0, ()
        self.happen(name, PlanFailed(number, verb, "no answer"))

    def _serve_alone(self, name: str, node: Node, verb: str) -> None:
        record, plane = node.disk.record, node.plane
        assert plane is not None
        if record.may_serve != {name}:
            self._break(say("broken.verb", node=name, verb=verb, nodes=sorted(record.may_serve)))
        if verb == "serve":
            self.check_holds_all(name)
        self.part(name, "alone")
        assert node.plane is not None
        node.plane = replace(node.plane, mode="alone", gate="open")

    def _lead(self, name: str, node: Node, session: str, *, full: bool) -> bool:
        assert node.plane is not None
        node.plane = replace(node.plane, mode="leading", session=session, full=full, told=False)
        if self.mate(name) is None:
            node.plane = replace(node.plane, mode="alone", session="")
            self.fail(name, "lead")
            return True
        for one in self.nodes:
            self.happen(one, LinkUp(session))
        return True

    def mate(self, name: str) -> Plane | None:
        """The other data plane in our session, when the link stands."""
        mine, other = self.nodes[name].plane, self.nodes[self.other(name)]
        if mine is None or not mine.session or self.cut or self.data_cut or other.plane is None:
            return None
        return other.plane if other.plane.session == mine.session and not other.frozen else None

    def part(self, name: str, reason: str) -> None:
        """End the session here; the other side notices if the network carries it."""
        node, other = self.nodes[name], self.nodes[self.other(name)]
        plane = node.plane
        if plane is None or not plane.session:
            return
        mate = self.mate(name)
        self._end_session(node)
        if mate is not None and other.engine is not None:
            self.lose(self.other(name), reason)

    def lose(self, name: str, reason: str) -> None:
        """A data plane notices that its session is over."""
        node = self.nodes[name]
        assert node.plane is not None
        session = node.plane.session
        self._end_session(node)
        self.happen(name, LinkLost(session, reason))

    def _end_session(self, node: Node) -> None:
        plane = node.plane
        assert plane is not None
        node.disk = replace(node.disk, index=node.disk.index | plane.recent)
        frozen = plane.mode in {"leading", "prim"} and plane.gate == "open"
        mode = "covered" if plane.mode in {"following", "second"} else plane.mode
        gate = "frozen" if frozen else plane.gate
        node.plane = replace(plane, mode=mode, gate=gate, session="", recent=NONE, confirmed=False)

    def copied(self, name: str) -> None:
        """The source `name` has sent everything; the target is told."""
        source, target = self.nodes[name], self.nodes[self.other(name)]
        mine, its = source.plane, target.plane
        assert mine is not None
        assert its is not None
        places = source.disk.index | target.disk.index | mine.recent | its.recent
        if mine.full:
            got = source.disk.writes
        else:
            got = (target.disk.writes - places) | (source.disk.writes & places)
        if got != source.disk.writes:
            self._break(say("broken.partial", node=name))
        lost = (target.disk.writes & self.acknowledged) - got
        if lost and not its.aside:
            self._break(say("broken.discarded", node=self.other(name), writes=sorted(lost)))
        target.disk = replace(target.disk, writes=got, identity=source.disk.identity)
        source.plane, target.plane = replace(mine, told=True), replace(its, told=True)
        self.happen(self.other(name), TargetInSync(mine.session, source.disk.generation))

    def in_sync(self, name: str) -> None:
        """The target has confirmed: both data planes are in step."""
        source, target = self.nodes[name], self.nodes[self.other(name)]
        assert source.plane is not None
        assert target.plane is not None
        source.plane = replace(source.plane, mode="prim")
        target.plane = replace(target.plane, mode="second")
        source.disk = replace(source.disk, index=NONE)
        target.disk = replace(target.disk, index=NONE)
        self.happen(name, SourceInSync(source.plane.session))

    def step_plane(self, name: str) -> bool:
        """Let a data plane notice, copy or end what is next; tell whether there was anything."""
        plane = self.nodes[name].plane
        if plane is None or not plane.session:
            return False
        mate = self.mate(name)
        if mate is None:
            if self.waits_for_source(name):
                return False
            self.lose(name, "silent")
        elif plane.mode == "leading" and mate.mode == "following" and not plane.told:
            self.copied(name)
        elif plane.mode == "leading" and plane.told and mate.confirmed:
            self.in_sync(name)
        else:
            return False
        return True

    def waits_for_source(self, name: str) -> bool:
        """A target may be ready before its source has connected: nothing is lost then."""
        plane, other = self.nodes[name].plane, self.nodes[self.other(name)]
        cut = bool(self.cut) or self.data_cut
        reachable = other.plane is not None and not other.plane.session and not cut
        return plane is not None and plane.mode == "following" and reachable

    # --- the application ---

    def may_write(self, name: str) -> bool:
        """Tell whether a change of the application would be acknowledged here now."""
        node = self.nodes[name]
        plane = node.plane
        if plane is None or plane.gate != "open" or node.frozen or plane.mode not in SERVES:
            return False
        return plane.mode == "alone" or self.mate(name) is not None

    def write(self, name: str, *, half: bool) -> None:
        """One change: the secondary first. half: the primary falls silent before it applies."""
        node, other = self.nodes[name], self.nodes[self.other(name)]
        plane = node.plane
        assert plane is not None
        self.written += 1
        one = frozenset({self.written})
        if plane.mode == "alone":
            disk = node.disk
            node.disk = replace(disk, writes=disk.writes | one, index=disk.index | one)
        else:
            assert other.plane is not None
            other.disk = replace(other.disk, writes=other.disk.writes | one)
            other.plane = replace(other.plane, recent=other.plane.recent | one)
            node.plane = replace(plane, recent=plane.recent | one)
            if half:
                return
            node.disk = replace(node.disk, writes=node.disk.writes | one)
        self.check_acknowledges(name)
        self.acknowledged |= one

    # --- rules ---

    def _break(self, sentence: str) -> None:
        """A rule does not hold: the end of a search, a warning in a story."""
        if self.told is None:
            raise Broken(sentence)
        self.broken.append(sentence)

    def check_acknowledges(self, name: str) -> None:
        """Invariants 2, 4 and 6 at the moment an application is told that it is done."""
        node = self.nodes[name]
        may_serve = node.disk.record.may_serve
        assert node.plane is not None
        if name not in may_serve:
            self._break(say("broken.acknowledges", node=name, nodes=sorted(may_serve)))
        if node.plane.mode == "alone" and may_serve != {name}:
            self._break(say("broken.acknowledges_alone", node=name, nodes=sorted(may_serve)))
        if self.witness_used and not self.excused and self.may_write(self.other(name)):
            self._break(say("broken.both_acknowledge"))

    def check_holds_all(self, name: str) -> None:
        """Invariants 4 and 5: who begins to serve holds everything that was acknowledged."""
        missing = self.acknowledged - self.nodes[name].disk.writes
        if missing and not self.excused:
            self._break(say("broken.serves_without", node=name, writes=sorted(missing)))

    # --- hosts ---

    def boot(self, name: str) -> None:
        """Power on; the control plane runs, the module is in STOP."""
        node = self.nodes[name]
        self.seeds += 1
        seed = f"{name} {self.seeds}".encode()
        engine = Engine(self.settings[name], node.disk.record, seed, seed.hex(), self.now_ms)
        self.nodes[name] = Node(node.disk, engine)
        self.happen(name, Ticked())

    def crash(self, name: str) -> None:
        """Power off: what is not on disk is gone; the peer's connections just hang."""
        self.nodes[name] = Node(self.nodes[name].disk)

    def ask(self, name: str, verb: str, *arguments: str) -> None:
        self.happen(name, CommandAsked(verb, arguments))

    def hear(self, name: str) -> None:
        """Deliver the word of the other node."""
        node, other = self.nodes[name], self.nodes[self.other(name)]
        assert other.word is not None
        node.heard, node.heard_at = other.word, self.now_ms
        self.happen(name, PeerHeard(other.word))

    def hears(self, name: str) -> bool:
        """Tell whether a heartbeat of the other node arrives at this one."""
        if len(self.nodes) == 1:
            return False
        node, other = self.nodes[name], self.nodes[self.other(name)]
        both = node.engine is not None and other.engine is not None
        running = both and not node.frozen and not other.frozen
        return running and self.other(name) not in self.cut and other.word is not None

    def pass_time(self) -> None:
        """Half a timeout: heartbeats arrive wherever they can, then both clocks go on."""
        self.now_ms += self.step_ms
        for name in self.nodes:
            if self.hears(name):
                self.hear(name)
        for name in self.nodes:
            node = self.nodes[name]
            if node.engine is not None and not node.frozen:
                self.happen(name, Ticked())
