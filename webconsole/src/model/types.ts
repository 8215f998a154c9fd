// What the pages know of the world: plain values, filled by api/adapt.ts, never changed in place.
// Times are milliseconds since 1970 on the server's clock; sizes are bytes; rates are per second.

import type { Said } from "./said.ts";

export type Word = "STOP" | "WAIT" | "ALONE" | "PRIM" | "SECOND" | "UP" | "UNKNOWN";
export type Readiness = "Ready" | "Transient" | "NotReady" | "Unknown";
export type Role = "Monitor" | "Control" | "Admin";

/** One node of one module, as last heard. `seen`: when; null figures were never heard. */
export interface NodeView {
  node: string;
  word: Word;
  readiness: Readiness;
  since: number | null;
  seen: number | null;
  reachable: boolean;
  /** Its console answers; else the other node may still hear it. */
  answers: boolean;
  /** Only its data plane answers: its word is of `since`, when that is known. */
  mute: { since: number | null } | null;
  reason: Said;
  row: string;
  holdsAddress: boolean;
  application: { running: boolean; since: number | null } | null;
  disk: { used: number; total: number; fullAt: number | null } | null;
  boot: string;
  generation: string;
  version: string;
  checkers: Resource[];
  processes: ProcessLine[];
  loops: { done: number; max: number } | null;
  configured: boolean;
}

export interface Resource {
  name: string;
  value: string;
  since: number | null;
}

export interface ProcessLine {
  name: string;
  class: string;
  running: number;
  atleast: number;
  action: string;
}

export interface Network {
  name: string;
  up: boolean;
  rttMs: number | null;
  jitterMs: number | null;
  /** For how long heartbeats wait on that node to be read. */
  lateMs: number | null;
  lost: number | null;
}

export type LinkKind = "live" | "catching-up" | "cut" | "async" | "none";

/** The link between the two data planes, as it is drawn. from: the node that sends. */
export interface LinkView {
  kind: LinkKind;
  from: string;
  to: string;
  bytesPerS: number | null;
  writesPerS: number | null;
  /** Mean wait of a change for the other node. */
  meanUs: number | null;
  /** Places that may not be on both disks yet. */
  recent: number | null;
  /** Places that changed and that the other node has not. */
  pending: number | null;
  waiting: number | null;
  lagMs: number | null;
  networks: Network[];
  seen: number | null;
}

export interface Progress {
  node: string;
  phase: string;
  bytesDone: number | null;
  bytesTotal: number | null;
  filesDone: number | null;
  filesTotal: number | null;
  bytesPerS: number | null;
  etaMs: number | null;
  pending: { file: string; bytes: number | null }[];
  pendingMore: number;
}

export interface Incident {
  kind: string;
  node: string;
  at: number | null;
  facts: Record<string, string | number | Said>;
}

export interface Span {
  node: string;
  word: Word;
  readiness: Readiness;
  from: number;
  to: number | null;
  row: string;
}

/** The last comparison of both copies, on line. */
export interface Verification {
  /** never, running, equal, different, repaired or interrupted; "" when nothing is known. */
  outcome: string;
  endedAt: number | null;
  /** Files that differ. */
  different: number;
  repaired: number;
  /** Which side is believed, and why. */
  believed: string;
  because: Said;
  observed: Said;
  percent: number | null;
  listed: { path: string; kind: string; prim: string; second: string; offset: number | null }[];
}

export interface Outage {
  at: number;
  ms: number;
  /** Stopped on purpose: shown, and not counted. */
  planned: boolean;
  before: string;
  after: string;
}

export interface Availability {
  since: number;
  /** 0 to 1; null: it never served. */
  ratio: number | null;
  minutesAYear: number | null;
  nines: number | null;
  outages: Outage[];
  spans: Span[];
}

export interface ModuleView {
  name: string;
  id: number;
  mode: string;
  addresses: string[];
  directories: string[];
  barrier: "write" | "fsync";
  async: "second" | "none";
  watch: boolean;
  /** Of one node, without replication: nothing of a pair is true of it. */
  light: boolean;
  nodes: NodeView[];
  link: LinkView;
  progress: Progress | null;
  alone: { node: string; since: number | null; bytes: number | null } | null;
  split: { since: number | null } | null;
  neverSynced: boolean;
  verification: Verification;
  incidents: Incident[];
  configured: boolean;
}

export interface SeriesPoint {
  at: number;
  writesPerS: number | null;
  bytesPerS: number | null;
  meanUs: number | null;
}

export interface LogLine {
  id: string;
  node: string;
  at: number;
  level: string;
  source: string;
  text: string;
}

export interface Kept {
  name: string;
  at: number;
}

/** A node of the cluster, as the one spoken to sees it. */
export interface ClusterNode {
  name: string;
  self: boolean;
  host: string;
  addresses: { lan: string; address: string }[];
  reachable: boolean;
  observed: Said;
  clockMs: number | null;
  version: string;
  urls: string[];
  /** How long it holds; Infinity: for ever; null: not known. */
  certificateMs: number | null;
}

export interface ClusterView {
  configured: boolean;
  node: string;
  lans: string[];
  nodes: ClusterNode[];
  sameConfiguration: boolean | null;
  makesCertificates: boolean;
  /** Who edits cluster.xml now. */
  editing: { name: string; origin: string } | null;
}

export interface Session {
  user: string;
  role: Role;
  csrf: string;
  node: string;
}
