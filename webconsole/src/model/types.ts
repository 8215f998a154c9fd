// What the pages know of the world: plain values, filled by api/adapt.ts, never changed in place.
// Times are milliseconds since 1970 on the server's clock; sizes are bytes; rates are per second.

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
  reason: string;
  row: string;
  holdsAddress: boolean;
  application: { running: boolean; since: number | null } | null;
  disk: { used: number; total: number; fullAt: number | null } | null;
  boot: string;
  checkersOn: boolean;
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
  p50Us: number | null;
  p99Us: number | null;
  /** Where percentiles are not measured. */
  meanUs: number | null;
  /** Places that may not be on both disks yet. */
  recent: number | null;
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
  facts: Record<string, string | number>;
}

export interface Span {
  node: string;
  word: Word;
  readiness: Readiness;
  from: number;
  to: number | null;
  row: string;
}

export interface Availability {
  since: number;
  downMs: number;
  ratio: number;
  outages: { at: number; ms: number }[];
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
  nodes: NodeView[];
  link: LinkView;
  progress: Progress | null;
  alone: { node: string; since: number | null; bytes: number | null } | null;
  split: { since: number | null; files: number | null } | null;
  neverSynced: boolean;
  incidents: Incident[];
  configured: boolean;
}

export interface SeriesPoint {
  at: number;
  writesPerS: number | null;
  bytesPerS: number | null;
  p50Us: number | null;
  p99Us: number | null;
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
  addresses: { lan: string; address: string }[];
  reachable: boolean;
  observed: string;
  clockMs: number | null;
  version: string;
  urls: string[];
  certificateMs: number | null;
}

export interface ClusterView {
  configured: boolean;
  node: string;
  lans: string[];
  nodes: ClusterNode[];
  sameConfiguration: boolean | null;
  makesCertificates: boolean;
}

export interface Session {
  user: string;
  role: Role;
  csrf: string;
  node: string;
}
