// From the documents of the API to the values of model/types.ts: the only place that knows the
// names of their fields.
import type {
  ClusterNode,
  ClusterView,
  Availability,
  LinkKind,
  LinkView,
  LogLine,
  ModuleView,
  Network,
  NodeView,
  Progress,
  Readiness,
  Resource,
  Role,
  SeriesPoint,
  Session,
  Span,
  Verification,
  Word,
} from "../model/types.ts";
import { codes, type Said, said } from "../model/said.ts";
import { note, type Note, wrongAt } from "./client.ts";
import { type Json, list, map, num, text, texts } from "./json.ts";

const SERVES = new Set(["PRIM", "ALONE"]);
const WORDS = new Set(["STOP", "WAIT", "ALONE", "PRIM", "SECOND", "UP"]);
const READINESS = new Set(["Ready", "Transient", "NotReady"]);
/** Codes of reasons that say that both nodes changed data, each alone. */
const SPLIT = new Set(["wait.split", "wait.disputed", "row.A07", "row.A08", ...["G23", "G24", "G29", "G30"].map((row) => `generation.${row}`)]);
const KINDS = new Set(["live", "catching-up", "cut", "async", "none"]);

export const wordOf = (value: unknown): Word => (WORDS.has(text(value)) ? text(value) : "UNKNOWN") as Word;
export const readinessOf = (value: unknown): Readiness =>
  (READINESS.has(text(value)) ? text(value) : "Unknown") as Readiness;

/** Who is signed in; null when nobody is. */
export function session(body: unknown): Session | null {
  const json = map(body);
  if (json["signed_in"] !== true) return null;
  return {
    user: text(json["name"]),
    role: text(json["role"], "Monitor") as Role,
    csrf: text(json["csrf"]),
    node: text(json["node"]),
  };
}

/** What one node said of itself: the documents of the API as they came (`NodeState`). */
export type NodeDocument = Json;

/** Every module of both nodes. heardAt: when the stream of events last gave a sign of life. */
export function modules(documents: readonly NodeDocument[], heardAt: number): ModuleView[] {
  const names = new Set(documents.flatMap((one) => Object.keys(map(one["modules"]))));
  return [...names].sort().map((name) => module(name, documents, heardAt));
}

function module(name: string, documents: readonly NodeDocument[], heardAt: number): ModuleView {
  const own = documents.map((one) => ({ document: one, json: map(map(one["modules"])[name]) }));
  const nodes = own.map(({ document }) => node(name, document, documents, heardAt));
  // Who serves knows most of the pair; else who speaks for itself, else whoever answers. A console
  // whose control plane is silent answers, and knows nothing of the module.
  // A node that died may have said PRIM last: what it said is old.
  const answering = own.filter(({ document }) => document["reachable"] !== false);
  const speaking = answering.filter(({ document }) => map(document["control_plane"])["reachable"] !== false);
  const inOrder = [...speaking, ...answering, ...own];
  const best = inOrder.find(({ json }) => SERVES.has(text(json["state"]))) ?? inOrder.find(({ json }) => Object.keys(json).length > 0);
  const json = best?.json ?? {};
  const told = nodes.find((one) => one.node === text(best?.document["node"]));
  const serving = SERVES.has(text(json["state"])) ? told : (nodes.find((one) => one.reachable && SERVES.has(one.word)) ?? told);
  const target = nodes.find((one) => one !== serving);
  const running = map(json["progress"]);
  const progressing = Object.keys(running).length > 0 && text(running["phase"]) !== "";
  const replication = { ...map(json["rfs"]), ...map(json["replication"]) };
  const split = own.find(({ document, json: one }) => document["reachable"] !== false && codes(said(one["reason_said"])).some((code) => SPLIT.has(code)));
  const alone = serving?.word === "ALONE";
  const light = own.some(({ json: one }) => said(one["safety_said"]).code === "safe.light");
  return {
    name,
    id: num(json["id"]) ?? 0,
    mode: text(json["mode"], "mirror"),
    addresses: texts(json["virtual_ips"] ?? json["virtual_ip"]),
    directories: texts(json["directories"]),
    barrier: replication["barrier"] === "fsync" ? "fsync" : "write",
    async: replication["async"] === "none" ? "none" : "second",
    watch: replication["capture"] === "watch",
    light,
    nodes,
    link: link(nodes, map(json["heartbeats"]), { ...replication, ...map(json["figures"]) }, progressing, heardAt),
    progress: progressing && target ? progress(running, target.node) : null,
    alone: alone ? { node: serving.node, since: us(json["alone_since_us"]) ?? serving.since, bytes: num(replication["changed_bytes"] ?? replication["dirty_bytes"]) } : null,
    split: split ? { since: us(map(split.json["local"])["since_us"]) } : null,
    neverSynced: !light && own.every(({ json: one }) => !one["generation"]) && nodes.some((one) => one.word === "WAIT" || one.word === "STOP"),
    verification: verification(map(json["verification"])),
    incidents: [],
    configured: own.some(({ json: one }) => one["configured"] === true),
  };
}

function verification(json: Json): Verification {
  const progress = map(json["progress"]);
  const [done, total] = [num(progress["bytes_done"]), num(progress["bytes_total"])];
  return {
    outcome: text(json["outcome"]),
    endedAt: us(json["ended_us"]),
    different: num(json["different"]) ?? 0,
    repaired: num(json["repaired"]) ?? 0,
    believed: text(json["believed"]),
    because: said(json["because_said"], text(json["because"])),
    observed: said(json["observed_said"], text(json["observed"])),
    percent: total ? Math.floor((100 * (done ?? 0)) / total) : null,
    listed: list(json["listed"]).map((one) => ({ path: `${text(one["directory"]).replace(/\/$/, "")}/${text(one["path"])}`, kind: text(one["kind"]), prim: text(one["prim"]), second: text(one["second"]), offset: num(one["offset_bytes"]) })),
  };
}

const us = (value: unknown): number | null => {
  const found = num(value);
  return found ? found / 1000 : null;
};

/** A node by its own word; when its console is silent, as the other one hears it. */
function node(name: string, document: Json, documents: readonly NodeDocument[], heardAt: number): NodeView {
  const own = map(map(document["modules"])[name]);
  const me = text(document["node"]);
  const answers = document["reachable"] !== false && map(document["control_plane"])["reachable"] !== false;
  const heard = documents
    .filter((one) => one !== document && one["reachable"] !== false)
    .map((one) => map(map(map(one["modules"])[name])["remote"]))
    .find((one) => text(one["node"]) === me && WORDS.has(text(one["state"])));
  const local = { ...own, ...map(own["local"]) };
  const plane = map(document["control_plane"]);
  const muteSince = us(heard?.["mute_since_us"]);
  const mute = heard && (muteSince !== null || (document["reachable"] !== false && !answers)) ? { since: muteSince } : null;
  const silent = document["reachable"] === false ? document : plane;
  const word = wordOf(answers ? own["state"] : (heard?.["state"] ?? own["state"]));
  const disk = map(local["disk"]);
  const application = map(local["application"]);
  const loops = map(local["loops"]);
  return {
    node: me,
    word,
    readiness: mute ? "Unknown" : readinessOf(answers ? own["ready"] : (heard?.["ready"] ?? own["ready"])),
    since: us(local["since_us"]),
    seen: answers ? heardAt : (muteSince ?? us(document["time_us"])),
    reachable: answers || heard !== undefined,
    answers: document["reachable"] !== false,
    mute,
    reason: answers ? said(own["reason_said"], text(own["reason"])) : said(silent["observed_said"], text(silent["observed"])),
    row: answers ? text(own["row"]) : "",
    holdsAddress: (answers || heard !== undefined) && SERVES.has(word) && texts(own["virtual_ips"] ?? own["virtual_ip"]).length > 0,
    application: local["application"] ? { running: application["running"] === true, since: us(application["since_us"]) } : null,
    disk: local["disk"]
      ? { used: num(disk["used_bytes"]) ?? 0, total: num(disk["total_bytes"]) ?? 0, fullAt: us(disk["full_at_us"]) }
      : null,
    boot: text(own["boot"]),
    generation: text(own["generation"]),
    version: text(document["version"]),
    checkers: checkers(map(local["resources"])),
    processes: list(local["processes"]).map((one) => ({
      name: text(one["name"]),
      class: text(one["class"]),
      running: num(one["running"]) ?? 0,
      atleast: num(one["atleast"]) ?? 1,
      action: text(one["action"]),
    })),
    loops: local["loops"] ? { done: num(loops["done"]) ?? 0, max: num(loops["max"]) ?? 0 } : null,
    configured: own["configured"] !== false,
  };
}

const CHECKED = /^(tcp|ping|intf|ip|custom|module|splitbrain|heartbeat|rfs)\./;

export function checkers(resources: Json): Resource[] {
  return Object.entries(resources)
    .filter(([name]) => CHECKED.test(name))
    .map(([name, entry]) => ({ name, value: text(map(entry)["value"]), since: us(map(entry)["time_us"]) }));
}

function link(nodes: NodeView[], beats: Json, figures: Json, progressing: boolean, heardAt: number): LinkView {
  const serving = nodes.find((one) => one.reachable && SERVES.has(one.word));
  const target = nodes.find((one) => one !== serving);
  const paired = serving?.word === "PRIM" && target?.word === "SECOND";
  const seen = figures["age_ms"] === undefined ? heardAt : heardAt - (num(figures["age_ms"]) ?? 0);
  let kind: LinkKind = "none";
  if (progressing || (serving && target?.word === "SECOND" && target.readiness === "Transient")) kind = "catching-up";
  else if (paired) kind = figures["capture"] === "watch" ? "async" : "live";
  else if (serving && (!target?.reachable || target.word === "WAIT")) kind = "cut";
  return {
    kind: (KINDS.has(text(figures["kind"])) ? text(figures["kind"]) : kind) as LinkKind,
    from: serving?.node ?? "",
    to: target?.node ?? "",
    bytesPerS: num(figures["bytes_s"]),
    writesPerS: num(figures["writes_s"]),
    meanUs: num(figures["latency_us"]) || null,
    recent: num(figures["recent_places"]),
    pending: num(figures["pending_places"]),
    waiting: num(figures["waiting"]),
    // Nothing that is not on both disks: the last checkpoint may be old.
    lagMs: num(figures["lag_ms"]) ?? (figures["recent_places"] === 0 ? 0 : num(figures["unsynced_ms"])),
    networks: Object.entries(beats).map(([name, one]) => network(name, map(one))),
    seen,
  };
}

function network(name: string, json: Json): Network {
  const jitterUs = num(json["jitter_p99_us"]);
  const lateUs = num(json["late_p99_us"]);
  const rttUs = num(json["rtt_us"]);
  return {
    name,
    up: json["silent"] !== true,
    rttMs: rttUs === null ? null : rttUs / 1000,
    jitterMs: jitterUs === null ? null : jitterUs / 1000,
    lateMs: lateUs === null ? null : lateUs / 1000,
    lost: num(json["lost"]),
  };
}

function progress(json: Json, target: string): Progress {
  return {
    node: text(json["node"], target),
    phase: text(json["phase"]),
    bytesDone: num(json["bytes_done"]),
    bytesTotal: num(json["bytes_total"]),
    filesDone: num(json["files_done"]),
    filesTotal: num(json["files_total"]),
    bytesPerS: num(json["rate_bytes_s"]),
    etaMs: num(json["eta_ms"]),
    pending: pending(json["pending"]),
    pendingMore: num(json["pending_more"]) ?? 0,
  };
}

function pending(value: unknown): Progress["pending"] {
  if (!Array.isArray(value)) return [];
  return value.map((one: unknown) =>
    typeof one === "string" ? { file: one, bytes: null } : { file: text(map(one)["file"]), bytes: num(map(one)["bytes"]) },
  );
}

export function span(node: string, json: Json): Span {
  return {
    node,
    word: wordOf(json["state"]),
    readiness: readinessOf(json["ready"]),
    from: us(json["from_us"]) ?? 0,
    to: us(json["until_us"]),
    row: text(json["row"]),
  };
}

export function availability(body: unknown): Availability {
  const json = map(body);
  return {
    since: us(json["from_us"]) ?? 0,
    ratio: num(json["availability"]),
    minutesAYear: num(json["minutes_a_year"]),
    nines: num(json["nines"]),
    outages: list(json["outages"]).map((one) => ({
      at: us(one["from_us"]) ?? 0,
      ms: num(one["ms"]) ?? 0,
      planned: one["planned"] === true,
      before: text(one["node_before"]),
      after: text(one["node_after"]),
    })),
    spans: list(json["nodes"]).flatMap((one) => list(one["periods"]).map((period) => span(text(one["node"]), period))),
  };
}

export function sample(json: Json): SeriesPoint {
  return { at: us(json["time_us"]) ?? 0, writesPerS: num(json["writes_s"]), bytesPerS: num(json["bytes_s"]), meanUs: num(json["latency_us"]) || null };
}

export function logLine(node: string, json: Json): LogLine {
  const timeUs = num(json["time_us"]) ?? 0;
  const source = text(json["source"]);
  return {
    // By what it says: a line that comes live has no number yet, and is read with one later.
    id: `${node}:${timeUs}:${source}:${text(json["text"]).slice(0, 60)}`,
    node,
    at: timeUs / 1000,
    level: text(json["level"], "I"),
    source,
    text: text(json["text"]),
  };
}

const noteOf = (json: Json, level: Note["level"]): Note => note(num(json["line"]) || 1, wrongAt(json), level);

export function check(body: unknown): { errors: Note[]; notices: Note[] } {
  const json = map(body);
  return {
    errors: list(json["errors"]).map((one) => noteOf(one, "error")),
    notices: list(json["notices"]).map((one) => noteOf(one, "note")),
  };
}

export function results(body: unknown): { node: string; ok: boolean; sentence: Said; errors: Note[] }[] {
  return list(map(body)["results"]).map((one) => ({
    node: text(one["node"]),
    ok: one["done"] === true,
    sentence: said({ code: one["code"], facts: one["facts"], text: one["sentence"] }),
    errors: list(one["errors"]).map((error) => noteOf(error, "error")),
  }));
}

export function cluster(body: unknown): ClusterView {
  const json = map(body);
  const same = json["same_configuration"];
  return {
    configured: json["configured"] === true,
    node: text(json["node"]),
    lans: list(json["lans"]).map((one) => text(one["name"])),
    nodes: list(json["nodes"]).map((one) => clusterNode(one, list(json["certificates"]))),
    sameConfiguration: typeof same === "boolean" ? same : null,
    makesCertificates: json["makes_certificates"] === true,
    editing: json["editing"] ? { name: text(map(json["editing"])["name"]), origin: text(map(json["editing"])["origin"]) } : null,
  };
}

/** How long a certificate holds; Infinity: for ever; null: not known. */
function leftOf(certificate: Json | undefined): number | null {
  if (!certificate) return null;
  const ends = us(certificate["not_after_us"]);
  return ends === null ? Infinity : ends - Date.now();
}

function clusterNode(json: Json, certificates: Json[]): ClusterNode {
  const about = map(json["about"]);
  return {
    name: text(json["name"]),
    self: json["this"] === true,
    host: text(about["host"]),
    addresses: list(json["addresses"]).map((one) => ({ lan: text(one["lan"]), address: text(one["address"]) })),
    reachable: json["this"] === true || json["reachable"] === true,
    observed: said(json["observed_said"], text(json["observed"])),
    clockMs: num(json["clock_difference_ms"]),
    version: text(about["version"]),
    urls: texts(about["urls"]),
    certificateMs: leftOf(certificates.find((one) => one["what"] === "node" && one["node"] === json["name"])),
  };
}
