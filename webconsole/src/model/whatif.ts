// What a command will do, as the node's own decision code tells it before the command is given.
// Nothing is computed here: the server answers, refuses, or is silent, and each is shown as such.
import type { Key } from "../i18n/index.ts";
import type { Said } from "./said.ts";
import type { NodeView, Readiness, Word } from "./types.ts";

export interface Act {
  /** A stable name; "scripts" runs `scripts`. */
  what: string;
  scripts: string[];
  /** The server's words, for a name that this page does not know. */
  text: string;
}

export interface Step {
  node: string;
  word: Word;
  readiness: Readiness;
  moved: boolean;
  rows: { row: string; why: Said }[];
  does: Act[];
}

export interface Stands {
  node: string;
  before: Word;
  word: Word;
  readiness: Readiness;
  reason: Said;
}

export interface WhatIf {
  steps: Step[];
  nodes: Stands[];
  /** The application does not answer for a while. */
  interrupts: boolean;
  /** Acknowledged changes can be lost: the name of the module is asked for. */
  discards: boolean;
  warnings: Said[];
  rests: boolean;
}

/**
 * told: the answer. refused: the command would be; it may be given all the same, for things move on, and the node has
 * the last word. unavailable: nobody could say. effect: no decision is asked.
 */
export type Foresight =
  | { kind: "told"; plan: WhatIf }
  | { kind: "refused"; sentence: Said }
  | { kind: "unavailable"; sentence: Said }
  | { kind: "effect"; key: Key };

/** Commands that move no state: the decision code is not asked, and what they do is always the same. */
const EFFECTS: Record<string, Key> = {
  errd: "effect.switch",
  checker: "effect.switch",
  failover: "effect.switch",
  rfsverify: "effect.verify",
};

/** Rows of the table that start a node on an administrator's word, without proof (mirror/core/election.py). */
const FORCED_ROWS = new Set(["E07", "E09"]);

/** The node that would start on the reader's word alone; "" when none does. */
export function forced(plan: WhatIf): string {
  return plan.steps.find((step) => step.rows.some((one) => FORCED_ROWS.has(one.row)))?.node ?? "";
}

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
  checker: "undo.errd",
  failover: "undo.errd",
  rfsverify: "undo.none.needed",
};

export const effectOf = (verb: string): Key | null => EFFECTS[verb] ?? null;
export const undoOf = (verb: string): Key => UNDO[verb] ?? "undo.none";

/** To whom a command goes, in order: "*" is both, the secondary first, so that none takes over. */
export function receivers(nodes: readonly NodeView[], node: string): string[] {
  const secondFirst = [...nodes].sort((a, b) => Number(b.word === "SECOND") - Number(a.word === "SECOND"));
  return node === "*" ? secondFirst.map((one) => one.node) : [node];
}

/** What must be asked before the yes. Not told: as if it interrupted; the server asks the name for these. */
export function caution(found: Foresight, verb: string, args: readonly string[]): { interrupts: boolean; discards: boolean } {
  if (found.kind === "told") return { interrupts: found.plan.interrupts, discards: found.plan.discards };
  if (found.kind === "effect") return { interrupts: false, discards: false };
  return { interrupts: true, discards: verb === "primforce" || args.includes("fullsync") };
}
