// Every request the pages make, by name. Paths stand here and nowhere else. What is meant for one
// node goes to /nodes/NODE/..., which the node spoken to sends on.
import type { Kept, LogLine, ModuleView, Session, Span } from "../model/types.ts";
import * as adapt from "./adapt.ts";
import * as client from "./client.ts";
import { type Json, list, map, num, text } from "./json.ts";

const esc = encodeURIComponent;
const get = <T = unknown>(path: string) => client.request<T>("GET", path);
const post = <T = unknown>(path: string, body: unknown = {}, timeoutMs?: number) =>
  client.request<T>("POST", path, { body, ...(timeoutMs ? { timeoutMs } : {}) });
const put = <T = unknown>(path: string, body: unknown, timeoutMs?: number) =>
  client.request<T>("PUT", path, { body, ...(timeoutMs ? { timeoutMs } : {}) });
const del = <T = unknown>(path: string) => client.request<T>("DELETE", path);
const onNode = (node: string) => `/nodes/${esc(node)}`;
const onModule = (name: string) => `/modules/${esc(name)}`;
const filePath = (path: string) => path.split("/").map(esc).join("/");

// Scripts of the configuration and of the application run on the server meanwhile.
const APPLY_MS = 700_000;

export const session = {
  /** null: nobody is signed in. */
  current: async (): Promise<Session | null> => adapt.session(await get("/session")),
  open: async (name: string, password: string): Promise<Session | null> => adapt.session(await post("/session", { name, password })),
  byLink: async (link: string, password: string): Promise<Session | null> => adapt.session(await post("/session/link", { link, password })),
  byTicket: async (ticket: string): Promise<Session | null> => adapt.session(await post("/session/ticket", { ticket })),
  /** A ticket of another node, to go on there should this one die. */
  ticket: async (node: string): Promise<string> => text(map(await post(`${onNode(node)}/tickets`))["ticket"]),
  close: () => del("/session"),
};

export const modules = {
  state: async (node: string): Promise<Json> => map(await get(`${onNode(node)}/state`)),
  command: (name: string, node: string, verb: string, args: Record<string, boolean | string>, confirm: string) =>
    post<Json>(`${onNode(node)}${onModule(name)}/commands`, { verb, arguments: args, confirm }),
  timeline: async (name: string, node: string): Promise<Span[]> =>
    list(map(await get(`${onNode(node)}${onModule(name)}/timeline`))["periods"]).map((one) => adapt.span(node, one)),
  log: async (name: string, node: string, count: number, every: boolean): Promise<LogLine[]> =>
    list(map(await get(`${onNode(node)}${onModule(name)}/log?${new URLSearchParams({ count: String(count), every: String(every) })}`))["entries"])
      .map((one) => adapt.logLine(node, one)),
  resources: async (name: string, node: string) => adapt.checkers(map(map(await get(`${onNode(node)}${onModule(name)}/resources`))["resources"])),
  outputs: async (name: string, node: string) => list(map(await get(`${onNode(node)}${onModule(name)}/outputs`))["outputs"]),
  output: async (name: string, node: string, file: string) => map(await get(`${onNode(node)}${onModule(name)}/outputs/${esc(file)}`)),
  facts: async (name: string, node: string): Promise<Json> => map(await get(`${onNode(node)}${onModule(name)}/facts`)),
  split: async (name: string) => map(await get(`${onModule(name)}/split`)),
  decideSplit: (name: string, keep: string, confirm: string) => post<Json>(`${onModule(name)}/split`, { keep, confirm }),
  aside: async (name: string) => list(map(await get(`${onModule(name)}/aside`))["items"]),
  restore: (name: string, item: string) => post<Json>(`${onModule(name)}/aside/${esc(item)}/restore`),
};

/** Give a command to one node, or to both ("*"): the secondary first, so that none takes over. */
export async function command(module: ModuleView, node: string, verb: string, args: string[], confirm: string): Promise<string> {
  const secondFirst = [...module.nodes].sort((a, b) => Number(b.word === "SECOND") - Number(a.word === "SECOND"));
  const nodes = node === "*" ? secondFirst.map((one) => one.node) : [node];
  const named = verb === "errd" ? { action: args[0] ?? "" } : Object.fromEntries(args.map((one) => [one, true]));
  const said: string[] = [];
  for (const one of nodes) said.push(text((await modules.command(module.name, one, verb, named, confirm))["said"]));
  return said.filter(Boolean).join("; ");
}

export const packages = {
  all: async () => list(map(await get("/packages"))["packages"]),
  install: (name: string, module: string) => post<Json>("/modules", { module, package: name }),
};

export interface Check {
  errors: adapt.FileNote[];
  notices: adapt.FileNote[];
}

export interface NodeResult {
  node: string;
  ok: boolean;
  sentence: string;
  errors: adapt.FileNote[];
}

export const config = {
  get: async (name: string) => map(await get(`${onModule(name)}/config`)),
  checkAsTyped: async (xml: string): Promise<Check> => adapt.check(await post("/userconfig/check", { xml })),
  save: async (name: string, xml: string, etag: string) => map(await put(`${onModule(name)}/config`, { xml, etag })),
  check: async (name: string, nodes: string[]): Promise<NodeResult[]> => adapt.results(await post(`${onModule(name)}/config/check`, { nodes }, APPLY_MS)),
  apply: async (name: string, nodes: string[]): Promise<NodeResult[]> => adapt.results(await post(`${onModule(name)}/config/apply`, { nodes }, APPLY_MS)),
  differences: async (name: string) => list(map(await get(`${onModule(name)}/diff`))["files"]),
  kept: async (name: string): Promise<Kept[]> =>
    list(map(await get(`${onModule(name)}/kept`))["kept"]).map((one) => ({ name: text(one["name"]), at: (num(one["time_us"]) ?? 0) / 1000 })),
  restore: (name: string, kept: string) => post<Json>(`${onModule(name)}/kept/${esc(kept)}/restore`),
  files: async (name: string) => list(map(await get(`${onModule(name)}/files`))["files"]),
  read: async (name: string, path: string) => map(await get(`${onModule(name)}/files/${filePath(path)}`)),
  write: async (name: string, path: string, content: string, etag: string) => map(await put(`${onModule(name)}/files/${filePath(path)}`, { content, etag })),
  download: (name: string) => client.blob(`${onModule(name)}/package`),
  upload: (name: string, file: Blob) =>
    client.request<Json>("PUT", `${onModule(name)}/package?replace=true`, { raw: file, type: "application/zip" }),
};

export const host = {
  directories: async (node: string, path: string) => map(await get(`${onNode(node)}/host/directories?${new URLSearchParams({ path })}`)),
  address: async (given: string) => map(await get(`/host/address?${new URLSearchParams({ address: given })}`)),
  snapshot: (node: string, module: string) => client.blob(`${onNode(node)}${onModule(module)}/snapshot`),
};

export const cluster = {
  get: async () => adapt.cluster(await get("/cluster")),
  xml: async () => map(await get("/cluster/config")),
  init: (node: string, xml: string) => post<Json>("/cluster/init", { node, xml }, APPLY_MS),
  token: async (node: string) => map(await post("/cluster/token", { node }, APPLY_MS)),
  join: (token: string) => post<Json>("/cluster/join", { token }, APPLY_MS),
  save: async (xml: string, etag: string, nodes: string[]): Promise<NodeResult[]> =>
    adapt.results(await put("/cluster/config", { xml, etag, nodes }, APPLY_MS)),
};

export const people = {
  users: async () => list(map(await get("/users"))["users"]),
  putUser: (name: string, role: string, password: string | null) => put<Json>(`/users/${esc(name)}`, { role, password }),
  removeUser: (name: string) => del<Json>(`/users/${esc(name)}`),
  tokens: async () => list(map(await get("/tokens"))["tokens"]),
  addToken: async (label: string, role: string, days: number) => map(await post("/tokens", { label, role, days })),
  removeToken: (id: string) => del<Json>(`/tokens/${esc(id)}`),
  audit: async (node: string, count: number) => list(map(await get(`${onNode(node)}/audit?count=${count}`))["entries"]),
};

