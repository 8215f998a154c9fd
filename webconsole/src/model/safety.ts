// The safety sentence and the one suggested action, from the facts of a module. Pure: the words
// stand in the dictionaries, so that both languages say the same.
import type { Key } from "../i18n/index.ts";
import { percent } from "./figures.ts";
import type { ModuleView, NodeView } from "./types.ts";

/** What a value of a sentence is, so that it is written in the reader's language. */
export type Param =
  | { node: string }
  | { ms: number }
  | { bytes: number }
  | { percent: number }
  | { count: number }
  | { at: number }
  | { text: string };

export interface Sentence {
  key: Key;
  params: Record<string, Param>;
}

export type Level = "good" | "warn" | "bad" | "none";

export interface Safety extends Sentence {
  level: Level;
}

export interface Advice extends Sentence {
  /** What the button does; none when there is nothing to do. */
  verb?: string;
  node?: string;
  page?: string;
  button?: Key;
}

const active = (node: NodeView) => ["ALONE", "PRIM", "UP"].includes(node.word);

/** The node that runs the application and holds the address; null when none, or two disagree. */
export function server(module: ModuleView): NodeView | null {
  const found = module.nodes.filter((node) => node.reachable && active(node));
  const only = found[0];
  return found.length === 1 && only ? only : (found.find((node) => node.holdsAddress) ?? null);
}

export function other(module: ModuleView, node: NodeView): NodeView | null {
  return module.nodes.find((one) => one.node !== node.node) ?? null;
}

/** Who serves, or runs what only a node of its own needs. */
export function served(module: ModuleView): Sentence {
  const running = module.nodes.filter((one) => one.reachable && active(one));
  if (module.light) return running.length ? { key: "q.runs", params: { nodes: { text: running.map((one) => one.node).join(", ") } } } : { key: "q.runs.none", params: {} };
  if (module.split && running.length === module.nodes.length) return { key: "q.served.both", params: {} };
  const serving = server(module);
  return serving ? { key: "q.served", params: { node: { node: serving.node } } } : { key: "q.served.none", params: {} };
}

/** True at this second, and always one sentence (console.md, question 2). */
export function safety(module: ModuleView, now: number): Safety {
  if (module.split) {
    return module.split.since === null
      ? { level: "bad", key: "safety.split", params: {} }
      : { level: "bad", key: "safety.split.since", params: { since: { at: module.split.since } } };
  }
  if (module.light && module.nodes.some((node) => node.reachable)) {
    return { level: module.nodes.some((node) => node.reachable && active(node)) ? "good" : "warn", key: "safety.light", params: {} };
  }
  const source = server(module);
  if (!source) return safetyWithoutServer(module);
  const peer = other(module, source);
  if (peer && isFull(peer) && (module.progress || source.word === "ALONE")) {
    return { level: "bad", key: "safety.full", params: { target: { node: peer.node }, source: { node: source.node } } };
  }
  if (module.progress && peer) return safetyCatchingUp(module, source, peer);
  if (module.watch && peer?.word === "SECOND") {
    return {
      level: "warn",
      key: module.link.lagMs === null ? "safety.async.unknown" : "safety.async",
      params: { node: { node: peer.node }, lag: { ms: module.link.lagMs ?? 0 } },
    };
  }
  const mute = [source, peer].find((one) => one?.mute);
  if (mute && source.word === "PRIM" && peer?.word === "SECOND") {
    return { level: "warn", key: "safety.mute", params: { node: { node: mute.node } } };
  }
  if (source.word === "PRIM" && peer?.word === "SECOND" && peer.readiness === "Ready") {
    if (source.readiness !== "Ready") {
      return { level: "warn", key: "safety.frozen", params: { node: { node: source.node } } };
    }
    return { level: "good", key: "safety.both", params: {} };
  }
  return safetyAlone(module, source, now);
}

/** With less room a node that catches up cannot go on (mirror/daemon/node/disk_alarm.py). */
const FULL_BYTES = 16 * 2 ** 20;

function isFull(node: NodeView): boolean {
  return node.disk !== null && node.disk.total > 0 && node.disk.total - node.disk.used < FULL_BYTES;
}

function safetyWithoutServer(module: ModuleView): Safety {
  if (module.nodes.every((node) => !node.reachable)) {
    return { level: "none", key: "safety.unknown", params: {} };
  }
  if (module.neverSynced) return { level: "warn", key: "safety.first", params: {} };
  const silent = module.nodes.find((node) => !node.reachable);
  if (silent) {
    return { level: "bad", key: "safety.stopped.silent", params: { node: { node: silent.node } } };
  }
  const stopped = module.nodes.every((node) => node.word === "STOP");
  return { level: "warn", key: stopped ? "safety.stopped" : "safety.waiting", params: {} };
}

function safetyCatchingUp(module: ModuleView, source: NodeView, peer: NodeView): Safety {
  const progress = module.progress;
  const done = progress ? percent(progress.bytesDone, progress.bytesTotal) : null;
  const params: Record<string, Param> = {
    target: { node: peer.node },
    source: { node: source.node },
  };
  if (done === null || !progress) return { level: "warn", key: "safety.catching", params };
  params["percent"] = { percent: done };
  if (progress.etaMs === null) return { level: "warn", key: "safety.catching.percent", params };
  params["left"] = { ms: progress.etaMs };
  return { level: "warn", key: "safety.catching.eta", params };
}

function safetyAlone(module: ModuleView, source: NodeView, now: number): Safety {
  const params: Record<string, Param> = { node: { node: source.node } };
  const since = module.alone?.since ?? null;
  if (since === null) return { level: "warn", key: "safety.alone", params };
  params["since"] = { ms: Math.max(0, now - since) };
  if (module.alone?.bytes === null || module.alone?.bytes === undefined) {
    return { level: "warn", key: "safety.alone.since", params };
  }
  params["bytes"] = { bytes: module.alone.bytes };
  return { level: "warn", key: "safety.alone.bytes", params };
}

/** One suggested action, or "Nothing." (console.md, question 4). */
export function advice(module: ModuleView): Advice {
  if (module.split) {
    return { key: "advice.split", params: {}, page: "split", button: "advice.split.button" };
  }
  if (module.light) return adviceOfLight(module);
  const source = server(module);
  if (!source) return adviceWithoutServer(module);
  const peer = other(module, source);
  const params: Record<string, Param> = peer ? { node: { node: peer.node } } : {};
  if (peer && isFull(peer) && (module.progress || source.word === "ALONE")) return incidentAdvice("disk", peer.node);
  if (module.progress && peer) return { key: "advice.wait.catching", params };
  const pressing = module.incidents.find((one) => PRESSING.has(one.kind));
  if (pressing) return incidentAdvice(pressing.kind, pressing.node);
  const later = module.incidents.find((one) => one.kind in INCIDENT_ADVICE);
  // What has days comes after the second copy, without which a single loss is one of data.
  if (later && (!peer || peer.word === "SECOND")) return incidentAdvice(later.kind, later.node);
  const mute = [source, peer].find((one) => one?.mute);
  if (mute) return { key: "advice.mute", params: { node: { node: mute.node } } };
  if (!peer || peer.word === "SECOND") return { key: "advice.nothing", params: {} };
  if (!peer.reachable) return { key: "advice.bring.back", params };
  if (peer.word === "STOP") {
    return { key: "advice.start", params, verb: "start", node: peer.node, button: "advice.start.button" };
  }
  return { key: "advice.look.log", params, page: `log?node=${peer.node}`, button: "advice.log.button" };
}

/** What keeps the application, or the second copy, from coming up at all. */
const PRESSING = new Set(["disk", "application"]);

const INCIDENT_ADVICE: Record<string, { key: Key; page: string; button: Key }> = {
  filling: { key: "advice.disk", page: "config", button: "advice.config.button" },
  disk: { key: "advice.disk", page: "config", button: "advice.config.button" },
  application: { key: "advice.application", page: "files", button: "advice.files.button" },
  verification: { key: "advice.verification", page: "log", button: "advice.verification.button" },
  certificate: { key: "advice.certificate", page: "/cluster", button: "advice.cluster.button" },
  clock: { key: "advice.clock", page: "/cluster", button: "advice.cluster.button" },
};

function incidentAdvice(kind: string, node: string): Advice {
  const known = INCIDENT_ADVICE[kind];
  if (!known) return { key: "advice.nothing", params: {} };
  return { ...known, params: { node: { node } } };
}

function adviceOfLight(module: ModuleView): Advice {
  const urgent = module.incidents.find((one) => one.kind in INCIDENT_ADVICE);
  if (urgent) return incidentAdvice(urgent.kind, urgent.node);
  const stopped = module.nodes.find((node) => node.reachable && node.word === "STOP" && node.configured);
  if (!stopped || module.nodes.some((node) => node.reachable && active(node))) return { key: "advice.nothing", params: {} };
  return { key: "advice.start.light", params: { node: { node: stopped.node } }, verb: "start", node: stopped.node, button: "advice.start.button" };
}

function adviceWithoutServer(module: ModuleView): Advice {
  const reachable = module.nodes.filter((node) => node.reachable);
  if (reachable.length === 0) return { key: "advice.reconnect", params: {} };
  if (module.neverSynced) {
    return { key: "advice.first", params: {}, page: "first", button: "advice.first.button" };
  }
  if (reachable.every((node) => node.word === "STOP") && reachable.length === module.nodes.length) {
    return { key: "advice.start.both", params: {}, verb: "start", node: "*", button: "advice.start.both.button" };
  }
  const silent = module.nodes.find((node) => !node.reachable);
  const waiting = reachable.find((node) => node.word === "WAIT" && node.readiness !== "Transient");
  const decision = waiting && DECISIONS[waiting.reason.code];
  const peer = waiting && other(module, waiting);
  if (decision && peer && (silent || decision.heardToo)) {
    const params = { node: { node: waiting.node }, peer: { node: peer.node } };
    return { key: decision.key, params, ...(decision.prim ? { verb: "prim", node: waiting.node, button: "advice.prim.button" as Key } : {}) };
  }
  const stopped = reachable.find((node) => node.word === "STOP");
  if (stopped) {
    const start = { verb: "start", node: stopped.node, button: "advice.start.button" as Key };
    if (silent) return { key: "advice.start.silent", params: { node: { node: stopped.node }, peer: { node: silent.node } }, ...start };
    return { key: "advice.start.waited", params: { node: { node: stopped.node } }, ...start };
  }
  if (silent) return { key: "advice.bring.back.first", params: { node: { node: silent.node } } };
  return { key: "advice.wait", params: {} };
}

/**
 * Why a node waits, where only a person can know more: whether the other one is lost for good. prim: it may be
 * made primary by a command that is not refused. heardToo: also while the other one answers.
 */
const DECISIONS: Record<string, { key: Key; prim: boolean; heardToo: boolean }> = {
  "wait.peer_may_hold_newer": { key: "advice.newer", prim: true, heardToo: false },
  "wait.failover_off": { key: "advice.failover.off", prim: true, heardToo: true },
  "wait.not_complete": { key: "advice.incomplete", prim: false, heardToo: false },
  "wait.target": { key: "advice.incomplete", prim: false, heardToo: false },
  "wait.disk_failed": { key: "advice.incomplete", prim: false, heardToo: false },
  "wait.misfit": { key: "advice.incomplete", prim: false, heardToo: false },
};

/** For lists: modules that need a person stand first, but never change place by a mere figure. */
export function urgency(level: Level): number {
  return { bad: 0, warn: 1, none: 2, good: 3 }[level];
}
