"""The one door of the core: an event and the time in, actions out.

One engine for each module on each node. Only `_enter` assigns the state. It touches nothing: time
and randomness are inputs, and whatever must happen is returned as values, in order.
"""

import copy

from mirror.core import automaton, commands, invariants, light, plans, scripts, speech
from mirror.core.automaton import Outcome, Row
from mirror.core.context import Context
from mirror.core.looking import look
from mirror.core.perceive import note
from mirror.core.rest import Rest, rest_of
from mirror.core.rules.machine import Hold, forget, judge
from mirror.core.settings import OFFER_BACKOFF_MS, Settings
from mirror.vocabulary.actions import (
    Action,
    Answer,
    Log,
    Plan,
    PlanAction,
    RunBackground,
    RunCheckers,
    SaveState,
    Say,
    SetResource,
    ShowState,
    WatchProcesses,
)
from mirror.vocabulary.events import (
    CommandAsked,
    Event,
    EventKind,
    LinkLost,
    PeerHeard,
    ResourceChanged,
    Resumed,
    Stalled,
    SwitchSet,
    Ticked,
    WitnessAnswered,
)
from mirror.vocabulary.facts import FenceSays, WitnessSays
from mirror.vocabulary.record import Record
from mirror.vocabulary.said import say
from mirror.vocabulary.states import SHOWN, Goal, Readiness, ScreenWord, State
from mirror.vocabulary.words import Word

LOOKS_MAX = 8  # one event leads to a few changes of state at most; more would be a circle
# What a node undertakes by itself because something here failed: counted against maxloop.
COUNTED = frozenset(
    {
        EventKind.PLAN_FAILED,
        EventKind.DATA_PLANE_LOST,
        EventKind.DATA_FAULT,
        EventKind.TAKEOVER_FORBIDDEN,
    }
)
# Standing still enough for the failover rules to be applied.
JUDGED = frozenset({State.ALONE, State.PRIM, State.SECOND, State.JOINING, State.UP})
ENDING = frozenset({State.STOP, State.LEAVING, State.CLOSING})
WATCHING = frozenset(State) - {
    State.STOP,
    State.STARTING,
    State.WAIT,
    State.SETTLING,
    State.TAKING_OVER,
    State.GOING_UP,
    State.LEAVING,
    State.CLOSING,
}


class Engine:
    """The automaton of one module on one node. Not shared between threads.

    seed: random bytes, new for each engine. incarnation: names this control plane's life.
    """

    def __init__(
        self, settings: Settings, record: Record, seed: bytes, incarnation: str, now_ms: int
    ) -> None:
        self._context = Context(settings, seed, incarnation, record, listening_since_ms=now_ms)
        self._table = light.BY_PAIR if settings.light else automaton.BY_PAIR
        self._out: list[Action] = []
        self._deferred: list[tuple[EventKind, CommandAsked | None]] = []
        self._said: Word | None = None
        self._saved: SaveState | None = None
        self._shown: ShowState | None = None
        self._watched: tuple[str, ...] = ()
        self._checked: tuple[str, ...] = ()
        self._held: Hold | None = None
        self._rest: Rest | None = None  # the last event, a tick, had no effect at all
        self._context.resources = {one.resource: "init" for one in settings.checkers}

    @property
    def context(self) -> Context:
        """What it knows; to be read, never changed, by others."""
        return self._context

    @property
    def state(self) -> State:
        """The state it is in."""
        return self._context.state

    def rests(self, event: Event, now_ms: int) -> bool:
        """Take an event if it has no effect and that is certain without a look; else do nothing.

        It spares what `handle` costs, and means the same (tests/unit/core/test_rest.py).
        """
        return self._rest is not None and self._rest.takes(self._context, event, now_ms)

    def handle(self, event: Event, now_ms: int) -> tuple[Action, ...]:
        """Take one event; give what to do, in order: notes at once, then at most one plan.

        now_ms: the boot clock; never smaller than before.
        Raises: InvariantBroken, after which this engine must not be used.
        """
        if self.rests(event, now_ms):
            return ()
        context = self._context
        self._out, self._rest = [], None
        last_ms, context.last_ms = context.last_ms, now_ms
        assert last_ms is None or now_ms >= last_ms, "the boot clock does not go back"
        if last_ms is None or isinstance(event, Resumed):
            # Silence counts from when this engine can hear, not from when it was made.
            context.listening_since_ms = now_ms
        if last_ms is not None and now_ms - last_ms > context.settings.timeout_ms:
            # This node stood still and nobody told it: what it knows of the peer is old.
            self._happen(Stalled(now_ms - last_ms), now_ms)
        if isinstance(event, CommandAsked):
            self._command(event, now_ms)
        else:
            self._happen(event, now_ms)
        idle = self._look_on(now_ms)
        context.note_time(now_ms)
        self._judge_rules(now_ms)
        self._speak(now_ms)
        assert self._said is not None
        invariants.check(context, self._said)
        if idle and not self._out and isinstance(event, Ticked | PeerHeard):
            self._rest = rest_of(context, now_ms)
        return self._ordered()

    def twin(self) -> "Engine":
        """Give an engine that knows the same and goes its own way: for what might be."""
        twin = copy.copy(self)
        context = copy.copy(self._context)
        context.loops_ms, context.resources = list(context.loops_ms), dict(context.resources)
        context.switches, context.judging = dict(context.switches), copy.copy(context.judging)
        twin._context, twin._deferred = context, list(self._deferred)  # noqa: SLF001 - its own
        return twin

    def _ordered(self) -> tuple[Action, ...]:
        """Put the newest plan last and drop older ones of this step: it has superseded them."""
        notes = [action for action in self._out if not isinstance(action, Plan)]
        found = [action for action in self._out if isinstance(action, Plan)]
        return (*notes, *found[-1:])

    # --- what happens ---

    def _happen(self, event: Event, now_ms: int) -> None:
        if isinstance(event, Resumed):
            self._context.role, _ = SHOWN[event.saved_state]
        elif isinstance(event, ResourceChanged):
            self._resource_changed(event)
        elif isinstance(event, WitnessAnswered) and event.says is not WitnessSays.UNASKED:
            up = event.says is WitnessSays.GRANTS
            self._out.append(SetResource("splitbrain.uptodate", "up" if up else "down"))
        elif isinstance(event, SwitchSet):
            value = "on" if event.on else "off"
            self._out.append(SetResource(f"usersetting.{event.name}", value))
        elif isinstance(event, LinkLost) and event.session == self._context.parted:
            self._context.parted = ""
            self._out.append(speech.link_line(event.reason))
        kind = note(self._context, event, now_ms)
        if kind is not None:
            self._apply(kind, None, now_ms)
        if isinstance(event, Resumed) and not self._context.link:
            leading = self.state is State.ALONE and self._context.leading
            if leading or self.state is State.PRIM:
                self._apply(EventKind.LINK_LOST, None, now_ms)

    def _resource_changed(self, event: ResourceChanged) -> None:
        if self._context.resources.get(event.name) == event.value:
            return
        self._out.append(SetResource(event.name, event.value))
        if event.by:
            line = f"Resource {event.name} set to {event.value} by {event.by}"
            self._out.append(Log("E", "heart", line))

    def _judge_rules(self, now_ms: int) -> None:
        """Apply what the failover rules have asked for long enough."""
        context = self._context
        if context.state not in JUDGED:
            forget(context.judging)
            return
        rules = context.settings.rules
        asked = judge(context.judging, rules, context.rule_facts, now_ms)
        if asked is not None:
            identity = f"{speech.RULE}:{asked.label}"
            self._command(CommandAsked(asked.action.value, (), identity), now_ms)
            self._look_on(now_ms)

    def _command(self, command: CommandAsked, now_ms: int) -> None:
        context = self._context
        if command.verb in {"incloop", "resetloop"}:
            if command.verb == "resetloop":
                context.loops_ms.clear()
            elif commands.loops_over(context, now_ms):
                self._out.append(_maxloop())
            self._out.append(Answer(command.command_id))
            return
        refusal = commands.refusal(context, command, now_ms)
        if refusal:
            self._out.append(Answer(command.command_id, refusal))
            return
        if command.identity and command.verb == "stopstart" and self.state in ENDING:
            # A checker, a rule or a handler comes late: an administrator's stop stands.
            self._out.append(Answer(command.command_id, say("refused.stopping")))
            return
        refused = self._row(commands.KIND[command.verb]).then is Outcome.REFUSE
        if not command.identity:
            context.loops_ms.clear()
        counted = command.identity and command.verb in commands.COUNTED and not refused
        if counted and commands.loops_over(context, now_ms):
            command = CommandAsked("stop", (), commands.MAXLOOP, command.command_id)
        self._apply(commands.KIND[command.verb], command, now_ms)

    def _row(self, kind: EventKind) -> Row:
        return self._table[self.state, kind]

    def _apply(self, kind: EventKind, command: CommandAsked | None, now_ms: int) -> None:
        row = self._row(kind)
        if row.then is Outcome.REFUSE:
            assert command is not None or kind is EventKind.SWAP_ASKED, row
            if command is not None:
                self._out.append(Answer(command.command_id, row.said))
            return
        if row.then is Outcome.DEFER:
            if (kind, command) not in self._deferred:
                self._deferred.append((kind, command))
        else:
            self._perform(row, kind, command, now_ms)
        if command is not None:
            self._out.append(Answer(command.command_id))

    def _perform(
        self, row: Row, kind: EventKind, command: CommandAsked | None, now_ms: int
    ) -> None:
        context = self._context
        if command is not None:
            commands.remember(context, command)
            self._out.append(speech.command_line(command, row.row_id))
        elif kind is EventKind.SWAP_ASKED:
            context.goal = Goal.JOIN
            asked = "from defaultprim" if context.settings.defaultprim != "alone" else "asked"
            asked = "asked" if context.peer_word and context.peer_word.asks_swap else asked
            self._out.append(Log("E", "heart", f"Transition SWAP {asked}", {"row": row.row_id}))
        moves = isinstance(row.then, State)
        if kind is EventKind.PEER_GOES_ON and context.state is State.SECOND:
            context.parted = context.session
        said = (
            speech.action_line(kind, context)
            if moves or row.steps or kind in speech.LOUD
            else None
        )
        if said is not None:
            self._out.append(said)
        if row.then is State.LEAVING:
            self._leave(kind, command, now_ms)
        self._plan(row, now_ms)
        if isinstance(row.then, State):
            self._enter(row.then, row, kind, now_ms)
        elif kind is EventKind.PLAN_DONE and context.state is State.JOINING and context.link:
            context.ready_for = context.session

    def _plan(self, row: Row, now_ms: int) -> None:
        context = self._context
        actions: list[PlanAction] = []
        for action in plans.build_all(row.steps, context, now_ms):
            if isinstance(action, PlanAction):
                actions.append(action)
            else:
                self._out.append(action)
        context.row = row.row_id if isinstance(row.then, State) else context.row
        begins = bool(actions) or row.then in {State.CLOSING, State.LEAVING, State.STARTING}
        if begins:
            context.plan_count += 1
            context.plan_id = context.plan_count
            self._out.append(Plan(context.plan_id, row.row_id, tuple(actions)))
        elif isinstance(row.then, State):
            context.plan_id = 0  # what was in hand belonged to the state that is left

    def _leave(self, kind: EventKind, command: CommandAsked | None, now_ms: int) -> None:
        """Set what follows and what the record will say; a machine's own restarts are counted."""
        context = self._context
        context.left_from = context.left_from if _resumed(kind) else context.state
        context.drained_equal, context.retry_ms = None, None
        context.fault = kind is EventKind.DATA_FAULT
        context.left_why = ""
        if command is not None and command.identity == commands.MAXLOOP:
            context.left_why = say("stopped.maxloop")
        if kind is EventKind.TAKEOVER_FORBIDDEN:
            context.awaits_admin = context.held is None and not context.failover_allowed()
        if command is not None or kind is EventKind.SWAP_ASKED:
            return
        context.left_why = context.failure
        starting = context.state is State.STARTING
        context.goal = Goal.STOP if starting else Goal.START
        if not starting and kind in COUNTED and commands.loops_over(context, now_ms):
            context.goal = Goal.STOP
            context.left_why = say("stopped.maxloop_by", observed=context.failure)
            self._out.append(_maxloop())

    # --- the state ---

    def _enter(self, state: State, row: Row, kind: EventKind, now_ms: int) -> None:
        """Change the state: the only place that does."""
        context, before = self._context, self._context.state
        context.state = state
        context.reason = row.said if state in {State.LEAVING, State.CLOSING} else ""
        match state:
            case State.STOP:
                context.intent, context.session, context.role = "", "", ScreenWord.STOP
                context.reason = context.left_why
                context.in_step = context.leading = context.link = False
                context.offer, context.split_seen = None, False
                context.awaits_admin = context.wants_full_peer = False
            case State.WAIT:
                self._enter_idle(ScreenWord.WAIT)
            case State.JOINING:
                context.intent = context.intent if context.intent.startswith("second") else ""
                context.awaits_admin = context.wants_full_peer = False
                self._enter_idle(ScreenWord.SECOND)
            case State.ALONE:
                self._enter_alone()
            case State.PRIM:
                self._run_role(ScreenWord.PRIM)
                context.in_step, context.leading, context.offer = True, False, None
                context.split_seen = False
                # Only after a start of the other: what an administrator swapped stays so.
                context.swap_due = (
                    before is State.PAIRING
                    and context.peer_began
                    and context.settings.defaultprim == context.settings.peer
                )
            case State.SECOND:
                context.in_step, context.intent, context.offer = True, "", None
                context.owes_out = ""
                context.trusts_before_s = 0
                context.sync_due, context.synced_ms = False, context.last_ms
                if context.wants_back and context.settings.defaultprim == "lastprim":
                    context.asks_swap = context.fresh()
                    self._out.append(Log("E", "heart", "Transition SWAP from defaultprim"))
                context.wants_back = False
            case State.FREEZING | State.ORPHANED:
                context.frozen_ms, context.wished = now_ms, None
                self._ask_anew()
            case State.CLOSING:
                context.swap_due = False
            case _:
                pass
        self._out.append(speech.state_line(before, context, kind, row.row_id))

    def _enter_idle(self, role: ScreenWord) -> None:
        """WAIT and JOINING: in no session, nothing proven, the witness not asked."""
        context = self._context
        self._run_role(role)
        context.in_step = context.leading = context.link = False
        context.session = context.ready_for = context.confirmed = context.offer_seen = ""
        context.offer, context.wished = None, None
        self._ask_anew()

    def _ask_anew(self) -> None:
        """Neither the witness nor the agent has been asked for this decision."""
        context = self._context
        context.witness, context.witness_again_ms = WitnessSays.UNASKED, 0
        context.fence, context.fence_again_ms, context.fence_due_ms = FenceSays.UNASKED, 0, None

    def _enter_alone(self) -> None:
        context = self._context
        context.asks_swap = ""  # what it once asked of a primary is of the past
        self._run_role(ScreenWord.ALONE)
        context.in_step, context.intent, context.promises_out = False, "", ""
        context.wished, context.peer_began = None, False
        context.awaits_admin = context.wants_full_peer = False
        if not context.leading:
            context.session, context.offer = "", None
            context.offer_backoff_ms, context.offer_after_ms = OFFER_BACKOFF_MS, 0

    def _run_role(self, role: ScreenWord) -> None:
        """Run, behind whatever runs, the scripts that only follow a change of role."""
        context = self._context
        calls = scripts.enter(context.role, role, "start")
        if calls:
            self._out.append(RunBackground(calls))
        context.role = role

    def _look_on(self, now_ms: int) -> bool:
        """Let what is so now, and what was deferred, have its effect. Returns: there was none."""
        for number in range(LOOKS_MAX):
            before = self.state
            kind = look(self._context, now_ms)
            if kind is not None:
                self._apply(kind, None, now_ms)
            if self.state is not before or kind is None:
                self._present_deferred(now_ms)
            if self.state is before and kind is None:
                return number == 0
        return False

    def _present_deferred(self, now_ms: int) -> None:
        waiting, self._deferred = self._deferred, []
        for kind, command in waiting:
            if self._row(kind).then is Outcome.DEFER:
                self._deferred.append((kind, command))
            elif command is None:
                self._apply(kind, None, now_ms)
            else:
                # Answered when it was deferred; nobody waits any more.
                again = CommandAsked(command.verb, command.arguments, command.identity)
                self._apply(kind, again, now_ms)

    # --- what is said ---

    def _speak(self, now_ms: int) -> None:
        context = self._context
        context.look_at_hold(now_ms)
        word = speech.word_of(context)
        if word != self._said:
            self._said = word
            if not context.settings.light:
                self._out.append(Say(word, urgent=True))
        saved = SaveState(context.state, context.goal.value, context.session)
        if saved != self._saved:
            self._saved = saved
            self._out.append(saved)
        self._show(now_ms)
        watched = scripts.CLASSES.get(context.role, ()) if context.state in WATCHING else ()
        watched = watched if context.switch("errd") else ()
        if watched != self._watched:
            self._watched = watched
            self._out.append(WatchProcesses(watched))
        self._check(scripts.CHECKERS.get(context.role, ()) if context.state in WATCHING else ())
        if len(context.loops_ms) != context.loops_shown:
            context.loops_shown = len(context.loops_ms)
            self._out.append(SetResource("heart.stopstartloop", str(context.loops_shown)))

    def _check(self, classes: tuple[str, ...]) -> None:
        """Have the checkers of these classes run; what the others found is not known any more."""
        context = self._context
        running = () if context.state is State.STOP else ("pre", *classes)
        running = running if context.switch("checker") else ()
        if running == self._checked:
            return
        self._checked = running
        self._out.append(RunCheckers(running))
        for one in context.settings.checkers:
            if one.when not in running and context.resources.get(one.resource) != "init":
                context.resources[one.resource] = "init"
                self._out.append(SetResource(one.resource, "init"))

    def _show_remote(self, now_ms: int) -> None:
        context = self._context
        now = context.word_now(now_ms)
        word, readiness = ("UNKNOWN", "Unknown") if now is None else SHOWN[now.state]
        if (str(word), str(readiness)) != context.shown_remote:
            context.shown_remote = (str(word), str(readiness))
            self._out.append(speech.remote_line(str(word), str(readiness)))

    def _show(self, now_ms: int) -> None:
        context = self._context
        if not context.settings.light:
            self._show_remote(now_ms)
        held, self._held = self._held, context.held
        if held is not None and context.held is None and not held.initial:
            text = "Action wakeup from failover rule Implicit_wakeup"
            self._out.append(Log("E", "heart", text))
        local, ready = speech.shown(context)
        show = ShowState(local, ready, context.reason, context.row)
        if show == self._shown:
            return
        moved = self._shown is None or (self._shown.word, self._shown.readiness) != (local, ready)
        self._shown = show
        if moved:
            self._out.append(speech.local_line(local, ready, context.row))
            self._out.extend(speech.resources(context))
            if ready is Readiness.NOT_READY and context.reason:
                self._out.append(Log("E", "heart", context.reason))
        self._out.append(show)


def _maxloop() -> Log:
    return Log("E", "heart", "Action stop called by maxloop")


def _resumed(kind: EventKind) -> bool:
    return kind is EventKind.RESUMED_BROKEN
