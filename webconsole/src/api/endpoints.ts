// Every request the pages make, by name. Paths stand here and nowhere else. What is meant for one
// node goes to /nodes/NODE/..., which the node spoken to sends on.
import type { Availability, Kept, LogLine, ModuleView, SeriesPoint, Session } from "../model/types.ts";
import type { KeptVersion, SplitView, StartFacts } from "../model/data.ts";
import { plain, type Said, said } from "../model/said.ts";
import { effectOf, type Foresight, receivers } from "../model/whatif.ts";
import * as adapt from "./adapt.ts";
import * as adaptData from "./adaptdata.ts";
import * as client from "./client.ts";
import type { Note } from "./client.ts";
import { type Json, list, map, num, text, texts } from "./json.ts";

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
  /** What the button of the provider says; "" where there is none. */
  provider: async (): Promise<string> => {
    const json = map(await get("/session"));
    return texts(json["ways"]).includes("oidc") ? text(json["oidc_label"]) || "OpenID Connect" : "";
  },
  open: async (name: string, password: string): Promise<Session | null> => adapt.session(await post("/session", { name, password })),
  byLink: async (link: string, password: string): Promise<Session | null> => adapt.session(await post("/session/link", { link, password })),
  byTicket: async (ticket: string): Promise<Session | null> => adapt.session(await post("/session/ticket", { ticket })),
  /** A ticket of another node, to go on there should this one die. */
  ticket: async (node: string): Promise<string> => text(map(await post(`${onNode(node)}/tickets`))["ticket"]),
  /** Every other session of the user ends. */
  changePassword: async (old: string, next: string): Promise<Session | null> => adapt.session(await put("/session/password", { old, new: next })),
  close: () => del("/session"),
};

export const modules = {
  state: async (node: string): Promise<Json> => map(await get(`${onNode(node)}/state`)),
  command: (name: string, node: string, verb: string, args: Record<string, boolean | string>, confirm: string) =>
    post<Json>(`${onNode(node)}${onModule(name)}/commands`, { verb, arguments: args, confirm }),
  availability: async (name: string): Promise<Availability> => adapt.availability(await get(`${onModule(name)}/availability`)),
  history: async (name: string, node: string): Promise<SeriesPoint[]> => list(map(await get(`${onNode(node)}${onModule(name)}/history`))["samples"]).map(adapt.sample),
  log: async (name: string, node: string, count: number, every: boolean): Promise<LogLine[]> =>
    list(map(await get(`${onNode(node)}${onModule(name)}/log?${new URLSearchParams({ count: String(count), every: String(every) })}`))["entries"])
      .map((one) => adapt.logLine(node, one)),
  resources: async (name: string, node: string) => adapt.checkers(map(map(await get(`${onNode(node)}${onModule(name)}/resources`))["resources"])),
  outputs: async (name: string, node: string) => list(map(await get(`${onNode(node)}${onModule(name)}/outputs`))["outputs"]),
  output: async (name: string, node: string, file: string) => map(await get(`${onNode(node)}${onModule(name)}/outputs/${esc(file)}`)),
  startFacts: async (name: string): Promise<StartFacts> => adaptData.startFacts(await get(`${onModule(name)}/start-facts`)),
  split: async (name: string): Promise<SplitView> => adaptData.split(await get(`${onModule(name)}/split`)),
  /** Asked of the node that serves: it knows those of the other one too. */
  kept: async (name: string, node: string): Promise<KeptVersion[]> => adaptData.keptVersions(await get(`${onNode(node)}${onModule(name)}/kept-versions`)),
  /** Those that could not be restored, and why. */
  restoreKept: async (name: string, node: string, ids: string[]): Promise<{ path: string; why: Said }[]> =>
    list(map(await post(`${onNode(node)}${onModule(name)}/kept-versions/restore`, { ids }, APPLY_MS))["failed"]).map((one) => ({ path: text(one["path"]), why: said(one["observed_said"], text(one["observed"])) })),
  removeKept: (name: string, node: string, ids: string[], confirm: string) => post<Json>(`${onNode(node)}${onModule(name)}/kept-versions/remove`, { ids, confirm }, APPLY_MS),
};

const SWITCHES = new Set(["errd", "checker", "failover"]);

const FORESEE_MS = 5_000;

function named(verb: string, args: string[]): Record<string, boolean | string> {
  if (SWITCHES.has(verb)) return { action: args[0] ?? "" };
  return verb === "rfsverify" ? { action: "start", repair: args.includes("repair") } : Object.fromEntries(args.map((one) => [one, true]));
}

/** Have the decision code say what a command would do. A refusal is one of the command; all else is silence. */
export async function foresee(module: ModuleView, node: string, verb: string, args: string[]): Promise<Foresight> {
  const effect = effectOf(verb);
  if (effect) return { kind: "effect", key: effect };
  const nodes = receivers(module.nodes, node);
  const where = node === "*" ? "" : onNode(node);
  try {
    const body = { verb, arguments: named(verb, args), nodes };
    return { kind: "told", plan: adaptData.whatIf(await post(`${where}${onModule(module.name)}/whatif`, body, FORESEE_MS)) };
  } catch (error) {
    const refused = error instanceof client.Problem && error.code === "MIR-601";
    return { kind: refused ? "refused" : "unavailable", sentence: error instanceof client.Problem ? error.said : plain("") };
  }
}

/** Give a command to one node, or to both ("*"). */
export async function command(module: ModuleView, node: string, verb: string, args: string[], confirm: string): Promise<Said[]> {
  const answers: Said[] = [];
  for (const one of receivers(module.nodes, node)) {
    const answer = await modules.command(module.name, one, verb, named(verb, args), confirm);
    answers.push(said(answer["parts"], text(answer["said"])));
  }
  return answers.filter((one) => one.text);
}

export const packages = {
  all: async () => list(map(await get("/packages"))["packages"]),
  install: (name: string, module: string) => post<Json>("/modules", { module, package: name }),
};

export interface Check {
  errors: Note[];
  notices: Note[];
}

export interface NodeResult {
  node: string;
  ok: boolean;
  sentence: Said;
  errors: Note[];
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
  upload: (name: string, file: Blob, replace: boolean) =>
    client.request<Json>("PUT", `${onModule(name)}/package?replace=${replace}`, { raw: file, type: "application/zip" }),
};

export const host = {
  directories: async (node: string, path: string) => map(await get(`${onNode(node)}/host/directories?${new URLSearchParams({ path })}`)),
  /** Addresses of the node spoken to, by which another one can reach it. */
  interfaces: async () =>
    list(map(await get("/host/interfaces"))["interfaces"]).flatMap((one) =>
      texts(one["addresses"]).map((address, index) => ({ name: text(one["name"]), address, network: texts(one["networks"])[index] ?? "" })),
    ).filter((one) => !/^fe80:/i.test(one.address)),
  address: async (given: string) => map(await get(`/host/address?${new URLSearchParams({ address: given })}`)),
  snapshot: (node: string, module: string) => client.blob(`${onNode(node)}${onModule(module)}/snapshot`),
  /** A zip with one of each node in it, or with why one is missing. */
  snapshotOfBoth: (module: string) => client.blob(`${onModule(module)}/snapshot?nodes=all`),
};

export const cluster = {
  get: async () => adapt.cluster(await get("/cluster")),
  xml: async () => map(await get("/cluster/config")),
  check: async (xml: string): Promise<Check> => adapt.check(await post("/cluster/check", { xml })),
  init: (node: string, xml: string) => post<Json>("/cluster/init", { node, xml }, APPLY_MS),
  token: async (node: string, address: string) => map(await post("/cluster/token", { node, address }, APPLY_MS)),
  join: (token: string) => post<Json>("/cluster/join", { token }, APPLY_MS),
  save: async (xml: string, etag: string, nodes: string[], key: string): Promise<NodeResult[]> =>
    adapt.results(await put("/cluster/config", { xml, etag, nodes, key }, APPLY_MS)),
  /** Edit alone, on both nodes, for two minutes; with the key: two minutes more. The key. */
  lock: async (key: string): Promise<string> => text(map(await post("/cluster/lock", { key }))["key"]),
  unlock: (key: string) => post<Json>("/cluster/unlock", { key }),
  /** The node with the authority's key is lost: this one becomes the authority, `lost` joins anew. */
  newAuthority: (lost: string) => post<Json>("/cluster/certificate", { authority: true, confirm: lost }, APPLY_MS),
  renew: async (node: string) => map(await post(`${onNode(node)}/cluster/certificate`, {}, APPLY_MS)),
};

/** Each node sends its own notifications. */
export const notices = {
  targets: async (node: string) => map(await get(`${onNode(node)}/notifications`)),
  save: (node: string, targets: Json) => put<Json>(`${onNode(node)}/notifications`, targets),
  test: async (node: string) => list(map(await post(`${onNode(node)}/notifications/test`, {}, APPLY_MS))["results"]),
  told: async (node: string) => list(map(await get(`${onNode(node)}/notices`))["notices"]).map((one): Json => ({ ...one, via: node })),
};

export const people = {
  signIn: async () => map(await get("/sign-in")),
  saveSignIn: (targets: Json) => put<Json>("/sign-in", targets),
  tryLdap: async (name: string, password: string) => map(await post("/sign-in/ldap/try", { name, password }, APPLY_MS)),
  users: async () => list(map(await get("/users"))["users"]),
  putUser: (name: string, role: string, password: string | null) => put<Json>(`/users/${esc(name)}`, { role, password }),
  removeUser: (name: string) => del<Json>(`/users/${esc(name)}`),
  tokens: async () => list(map(await get("/tokens"))["tokens"]),
  addToken: async (label: string, role: string, days: number) => map(await post("/tokens", { label, role, days })),
  removeToken: (id: string) => del<Json>(`/tokens/${esc(id)}`),
  audit: async (node: string, count: number) => list(map(await get(`${onNode(node)}/audit?count=${count}`))["entries"]),
};

