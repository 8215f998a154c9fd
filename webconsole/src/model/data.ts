// What each node holds of a module, and what a choice of the good side would replace.
import type { Said } from "./said.ts";
import type { Readiness, Word } from "./types.ts";

export interface FileLine {
  path: string;
  bytes: number;
  at: number | null;
}

export interface Side {
  node: string;
  reachable: boolean;
  /** Why it does not answer, or why its list is not known. */
  observed: Said;
  files: number;
  bytes: number;
  /** False: the time did not suffice, so it is at least this. */
  complete: boolean;
  empty: boolean;
  errors: Said[];
  newest: FileLine[];
  record: { blank: boolean; generation: string; term: number; wasPrimary: boolean; livedOn: boolean; cleanStop: boolean; inconsistent: boolean; targetOf: string; mayServe: string[]; at: number | null } | null;
}

export interface ChoiceOfSource {
  source: string;
  target: string;
  sameFiles: number;
  differentFiles: number;
  differentBytes: number;
  onlyTargetFiles: number;
  onlyTargetBytes: number;
  onlySourceFiles: number;
  onlySourceBytes: number;
  complete: boolean;
  examples: { path: string; onlyThere: boolean; bytes: number; at: number | null }[];
}

export interface StartFacts {
  needed: boolean;
  advice: Said;
  verdict: { row: string; source: string; why: Said } | null;
  sides: Side[];
  choices: ChoiceOfSource[];
}

/** One side of a split brain: what it changed alone. */
export interface SplitSide {
  node: string;
  reachable: boolean;
  /** Why it does not answer, or why its list is not known. */
  observed: Said;
  word: Word;
  readiness: Readiness;
  wasPrimary: boolean;
  since: number | null;
  complete: boolean;
  files: { path: string; bytes: number; at: number | null; exists: boolean }[];
}

export interface SplitView {
  split: boolean;
  since: number | null;
  verdict: { row: string; source: string; why: Said } | null;
  sides: SplitSide[];
  /** Paths that both changed. */
  both: string[];
}

export interface KeptVersion {
  id: string;
  node: string;
  /** Whose version it is. */
  side: string;
  path: string;
  bytes: number;
  at: number | null;
  what: string;
}
