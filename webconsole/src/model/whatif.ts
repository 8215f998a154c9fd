// What a command will do on each node, step by step, in SafeKit's order of scripts (reference 5):
// shown before it is given. Pure; the node itself may still refuse, and says why.
import type { Key } from "../i18n/index.ts";
import { other } from "./safety.ts";
import type { ModuleView, NodeView } from "./types.ts";

export interface Step {
  node: string;
  key: Key;
}

export interface WhatIf {
  steps: Step[];
  /** The application does not answer for a while. */
  interrupts: boolean;
  /** Acknowledged changes can be lost: the name of the module is asked for. */
  discards: boolean;
  undo: Key;
}

const STOP_SERVING: Key[] = ["step.stop_prim", "step.drain", "step.release"];
const SERVE: Key[] = ["step.record", "step.take", "step.start_prim"];

export function whatIf(module: ModuleView, node: string, verb: string, args: readonly string[]): WhatIf {
  if (node === "*") return onBoth(module, verb);
  const me = module.nodes.find((one) => one.node === node);
  const peer = me ? other(module, me) : null;
  if (!me) return { steps: [], interrupts: false, discards: false, undo: "undo.none" };
  const full = args.includes("fullsync");
  const made = STEPS[verb]?.(me, peer) ?? [];
  return {
    steps: made,
    interrupts: INTERRUPTS.has(verb) && serving(me),
    discards: verb === "primforce" || full,
    undo: UNDO[verb] ?? "undo.none",
  };
}

const serving = (node: NodeView) => node.word === "PRIM" || node.word === "ALONE";
const ready = (node: NodeView | null) => node?.word === "SECOND" && node.readiness === "Ready";
const INTERRUPTS = new Set(["stop", "restart", "stopstart", "swap", "forcestop"]);
const UNDO: Record<string, Key> = {
  start: "undo.stop",
  stop: "undo.start",
  forcestop: "undo.start",
  stopstart: "undo.none.needed",
  restart: "undo.none.needed",
  swap: "undo.swap",
  prim: "undo.stop",
  second: "undo.stop",
  primforce: "undo.aside",
  errd: "undo.errd",
};

const at = (node: NodeView | null, keys: Key[]): Step[] => (node ? keys.map((key) => ({ node: node.node, key })) : []);

const STEPS: Record<string, (me: NodeView, peer: NodeView | null) => Step[]> = {
  start: (me, peer) =>
    peer && serving(peer)
      ? at(me, ["step.prestart", "step.catch.up", "step.second"])
      : at(me, ["step.prestart", "step.elect", "step.start_prim.if"]),
  stop: leave,
  forcestop: (me, peer) => [...at(me, ["step.kill", "step.stop"]), ...takeover(me, peer)],
  stopstart: (me, peer) => [...leave(me, peer), ...at(me, ["step.prestart", "step.catch.up"])],
  restart: (me) => at(me, serving(me) ? ["step.stop_prim", "step.start_prim"] : ["step.stop_second", "step.start_second"]),
  swap: (me, peer) => {
    const [from, to] = serving(me) ? [me, peer] : [peer, me];
    return [...at(from, STOP_SERVING), ...at(to, SERVE), ...at(from, ["step.second"])];
  },
  prim: (me, peer) => [...at(me, ["step.prestart", ...SERVE]), ...at(peer, ["step.kept.aside"])],
  second: (me) => at(me, ["step.prestart", "step.kept.aside", "step.catch.up", "step.second"]),
  primforce: (me, peer) => [...at(me, ["step.prestart", "step.force", ...SERVE]), ...at(peer, ["step.compare.all"])],
  errd: (me) => at(me, ["step.errd"]),
};

function leave(me: NodeView, peer: NodeView | null): Step[] {
  if (serving(me)) return [...at(me, STOP_SERVING), ...takeover(me, peer), ...at(me, ["step.stop"])];
  const alone = peer && serving(peer) ? at(peer, ["step.alone"]) : [];
  return [...at(me, ["step.stop_second", "step.stop"]), ...alone];
}

function takeover(me: NodeView, peer: NodeView | null): Step[] {
  if (!serving(me)) return [];
  return ready(peer) ? at(peer, SERVE) : at(peer, ["step.nobody"]);
}

function onBoth(module: ModuleView, verb: string): WhatIf {
  const nodes = [...module.nodes].sort((a, b) => Number(serving(a)) - Number(serving(b)));
  if (verb === "stop") {
    const steps = nodes.flatMap((one) => at(one, serving(one) ? [...STOP_SERVING, "step.stop"] : ["step.stop_second", "step.stop"]));
    return { steps, interrupts: nodes.some(serving), discards: false, undo: "undo.start" };
  }
  const steps = nodes.flatMap((one) => at(one, ["step.prestart"]));
  return { steps: [...steps, ...at(nodes[0] ?? null, ["step.elect"])], interrupts: false, discards: false, undo: "undo.stop" };
}
