// What the console knows now: the session, the modules, the time. Filled by the stream of events;
// read by the pages, which never change it.
import { signal } from "@preact/signals";
import * as adapt from "./api/adapt.ts";
import * as client from "./api/client.ts";
import * as api from "./api/endpoints.ts";
import { EventStream } from "./api/events.ts";
import { type Json, map, text } from "./api/json.ts";
import type { ServerEvent } from "./api/sse.ts";
import { incidents } from "./model/incidents.ts";
import { forget, goOn, prepare } from "./succession.ts";
import type { ClusterView, LogLine, ModuleView, SeriesPoint, Session } from "./model/types.ts";

export const session = signal<Session | null>(null);
/** Whether the door stands in front of the page. */
export const expired = signal(false);
export const modules = signal<ReadonlyMap<string, ModuleView> | null>(null);
export const cluster = signal<ClusterView | null>(null);
/** The server's clock now, so that ages are right on a browser whose clock is wrong. */
export const now = signal(Date.now());

const SERIES_MAX = 900;
export const series = signal<ReadonlyMap<string, readonly SeriesPoint[]>>(new Map());
/** Lines that came while the page was open, newest last; the log page reads the rest itself. */
export const liveLog = signal<readonly (LogLine & { module: string })[]>([]);
const LIVE_LOG_MAX = 2000;
/** Documents are whole again this often after events, at most: a burst is drawn once. */
const DRAW_EVERY_MS = 50;

/** The documents of the nodes as they came; the views of the modules follow from them. */
const documents = new Map<string, Json>();
let clockOffset = 0;
let stream: EventStream | null = null;
let drawing = false;

setInterval(() => {
  now.value = Date.now() + clockOffset;
}, 500);

export function begin(opened: Session): void {
  session.value = opened;
  expired.value = false;
  client.configure({ csrf: opened.csrf });
  client.connection.value = { ...client.connection.value, node: opened.node, state: "connecting" };
  stream?.stop();
  stream = new EventStream(onEvent, onHeard, onLost);
  stream.start();
  void readCluster();
}

/** The session ended on the server. The page stays, with what is typed in it, until one signs in again. */
export function expire(): void {
  if (!session.value) return;
  stream?.stop();
  stream = null;
  expired.value = true;
}

export function end(): void {
  expired.value = false;
  stream?.stop();
  stream = null;
  session.value = null;
  modules.value = null;
  documents.clear();
  forget();
}

export async function readCluster(): Promise<void> {
  try {
    cluster.value = await api.cluster.get();
    await prepare(cluster.value);
  } catch {
    // The page of the cluster says why; elsewhere it is only not known yet.
  }
}

function onHeard(): void {
  const { node } = client.connection.value;
  client.connection.value = { node, state: "live", heardAt: Date.now(), next: "" };
}

function onLost(): void {
  const was = client.connection.value;
  if (was.state === "leaving") return;
  client.connection.value = { ...was, state: "lost" };
  see();
  const other = [...documents.values()].find((one) => one["node"] !== was.node && one["reachable"] !== false);
  if (other) goOn(text(other["node"]), was);
}

function see(): void {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    const heardAt = (client.connection.value.heardAt ?? Date.now()) + clockOffset;
    const views = adapt.modules([...documents.values()].sort(byName), heardAt);
    modules.value = new Map(views.map((one) => [one.name, { ...one, incidents: incidents(one, cluster.value, heardAt) }]));
    if (client.connection.value.state === "live") for (const view of views) note(view, heardAt);
  }, DRAW_EVERY_MS);
}

const byName = (a: Json, b: Json) => (text(a["node"]) < text(b["node"]) ? -1 : 1);

function onEvent(event: ServerEvent): void {
  const body = map(JSON.parse(event.data));
  const name = text(body["node"]);
  const timeUs = body["time_us"];
  const known = documents.get(name) ?? {};
  switch (event.event) {
    case "beat":
      if (typeof timeUs === "number") setClock(timeUs / 1000);
      break;
    case "snapshot":
      documents.set(name, body);
      break;
    case "state": {
      const all = { ...map(known["modules"]) };
      if (body["state"] === null) delete all[text(body["module"])];
      else all[text(body["module"])] = body["state"];
      documents.set(name, { ...known, node: name, time_us: timeUs, reachable: true, modules: all });
      break;
    }
    case "node":
      documents.set(name, { ...known, ...body, modules: known["modules"] ?? {} });
      break;
    case "log": {
      const line = { ...adapt.logLine(name, map(body["entry"])), module: text(body["module"]) };
      liveLog.value = [...liveLog.value.slice(-LIVE_LOG_MAX), line];
      return;
    }
    default:
      return;
  }
  see();
}

function setClock(serverNow: number): void {
  const offset = serverNow - Date.now();
  // Small differences are the network's; following them would make ages tremble.
  if (Math.abs(offset - clockOffset) > 1500) clockOffset = offset;
}

function note(view: ModuleView, at: number): void {
  const { writesPerS, bytesPerS, meanUs } = view.link;
  const before = series.value.get(view.name) ?? [];
  const last = before[before.length - 1];
  if (last && at - last.at < 900) return;
  const points = [...before.slice(-SERIES_MAX), { at, writesPerS, bytesPerS, meanUs }];
  series.value = new Map(series.value).set(view.name, points);
}

/** What the node that serves remembers of the minutes before this page was open. */
export async function readHistory(module: string, node: string): Promise<void> {
  const known = await api.modules.history(module, node).catch(() => []);
  const seen = series.value.get(module) ?? [];
  const begin = seen[0]?.at ?? Infinity;
  series.value = new Map(series.value).set(module, [...known.filter((one) => one.at < begin), ...seen].slice(-SERIES_MAX));
}
