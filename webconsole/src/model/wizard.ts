// Between the answers of the wizard and userconfig.xml: the template's own text with what was
// answered put into it, and what the template fills in already. Pure.
import type { Key } from "../i18n/index.ts";
import { all, expanded, value as valueOf, withElementAfter, withFilled, withoutElement, withValue } from "./xmlform.ts";

export interface Answers {
  /** Of one node, without replication: no networks, directories or address are asked. */
  light: boolean;
  template: string;
  name: string;
  directories: string[];
  address: string;
  networks: string[];
  services: string;
  processes: string;
  failover: boolean;
}

/** Names that SafeKit's folders use themselves. */
const RESERVED = new Set(["lastconfig", "all"]);

/** What is wrong with a name, as a key of the dictionary; null when nothing is. */
export function nameProblem(name: string, taken: readonly string[]): Key | null {
  if (name === "") return "wizard.name.empty";
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,31}$/.test(name)) return "wizard.name.letters";
  if (RESERVED.has(name)) return "wizard.name.reserved";
  return taken.includes(name) ? "wizard.name.taken" : null;
}

/** What is wrong with what was typed in a field: a key of the dictionary, and what it names. */
export interface Wrong {
  key: Key;
  values: Record<string, string>;
}

const slashed = (dir: string) => `${dir.replace(/\/+$/, "")}/`;

/** What is wrong with a directory beside the others, before a node is asked; null when nothing is. */
export function directoryProblem(directories: readonly string[], at: number): Wrong | null {
  const dir = directories[at] ?? "";
  if (dir === "") return { key: "wizard.dir.empty", values: {} };
  if (!dir.startsWith("/")) return { key: "wizard.dir.absolute", values: {} };
  const others = directories.filter((one, index) => index !== at && one.startsWith("/"));
  if (directories.slice(0, at).some((one) => slashed(one) === slashed(dir))) return { key: "wizard.dir.twice", values: {} };
  const around = others.find((one) => slashed(dir) !== slashed(one) && slashed(dir).startsWith(slashed(one)));
  return around ? { key: "wizard.dir.within", values: { dir: around } } : null;
}

const words = (typed: string) => typed.split(/[\s,]+/).filter(Boolean);
/** Longer names are cut by the kernel, and would never be found (mirror/config/kinds.py). */
const PROCESS_BYTES_MAX = 15;

export function servicesProblem(typed: string): Wrong | null {
  const name = words(typed).find((one) => !/^[A-Za-z0-9:_.@\\-]+$/.test(one));
  return name === undefined ? null : { key: "wizard.services.letters", values: { name } };
}

export function processesProblem(typed: string): Wrong | null {
  const odd = words(typed).find((one) => /["'<>&/]/.test(one));
  if (odd !== undefined) return { key: "wizard.processes.letters", values: { name: odd } };
  const long = words(typed).find((one) => new TextEncoder().encode(one).length > PROCESS_BYTES_MAX);
  return long === undefined ? null : { key: "wizard.processes.long", values: { name: long, max: String(PROCESS_BYTES_MAX) } };
}

/** Whether the scripts of a template would start nothing: they start SERVICES, and it names none. */
export function startsNothing(xml: string): boolean {
  return all(xml, "var").some((one) => one.attributes["name"] === "SERVICES" && one.attributes["value"] === "");
}

/** What a template leaves to be filled in. */
const GAP = /_TO_BE_DEFINED$/;

/** A value as it will be; "" for a gap. */
function filled(xml: string, value: string): string {
  const text = expanded(xml, value);
  return GAP.test(text) ? "" : text;
}

/** The answers that a template brings. */
export function answersOf(xml: string): Pick<Answers, "light" | "directories" | "address" | "services" | "failover"> {
  const directories = all(xml, "replicated").map((one) => filled(xml, one.attributes["dir"] ?? ""));
  const services = all(xml, "var").find((one) => one.attributes["name"] === "SERVICES");
  return {
    light: valueOf(xml, "service", "mode") === "light",
    directories: directories.length ? directories : [""],
    address: filled(xml, valueOf(xml, "virtual_addr", "addr") ?? ""),
    services: filled(xml, services?.attributes["value"] ?? ""),
    failover: valueOf(xml, "service", "failover") !== "off",
  };
}

/** A gap that nothing uses any more would be refused for nothing. */
function withoutUnusedGaps(xml: string): string {
  const at = all(xml, "macro").findIndex((one) => GAP.test(one.attributes["value"] ?? "") && !xml.includes(`%${one.attributes["name"]}%"`));
  return at < 0 ? xml : withoutUnusedGaps(withoutElement(xml, "macro", at));
}

export function withAnswers(template: string, answers: Answers): string {
  let xml = template;
  if (!answers.light) {
    xml = withDirectories(xml, answers.directories);
    xml = withAddress(xml, answers.address.trim());
    xml = withNetworks(xml, answers.networks);
    xml = withValue(xml, "service", "failover", answers.failover ? "on" : "off");
  }
  xml = withMacro(xml, "SERVICES", answers.services.trim());
  return withProcesses(xml, answers.processes);
}

function withDirectories(xml: string, directories: readonly string[]): string {
  let next = xml;
  directories.forEach((dir, index) => {
    if (index >= all(next, "replicated").length) {
      next = withElementAfter(next, "replicated", index - 1, '<replicated dir="" mode="read_only"/>');
    }
    next = withFilled(next, "replicated", "dir", dir, index);
  });
  while (all(next, "replicated").length > Math.max(1, directories.length)) {
    next = withoutElement(next, "replicated", all(next, "replicated").length - 1);
  }
  return next;
}

/** Without an address there is no <vip> at all: an empty one would be refused. */
function withAddress(xml: string, address: string): string {
  if (address) return withFilled(xml, "virtual_addr", "addr", address);
  return withoutUnusedGaps(withoutElement(xml, "vip", 0));
}

function withNetworks(xml: string, networks: readonly string[]): string {
  let next = xml;
  networks.forEach((name, index) => {
    const found = all(next, "heartbeat");
    if (index >= found.length) next = withElementAfter(next, "heartbeat", index - 1, `<heartbeat name="${name}"/>`);
    else next = withValue(next, "heartbeat", "name", name, index);
  });
  while (networks.length > 0 && all(next, "heartbeat").length > networks.length) {
    next = withoutElement(next, "heartbeat", all(next, "heartbeat").length - 1);
  }
  return next;
}

function withMacro(xml: string, name: string, value: string): string {
  if (!value) return xml;
  const macro = all(xml, "macro").findIndex((one) => one.attributes["name"] === name);
  if (macro >= 0) return withValue(xml, "macro", "value", value, macro);
  const variable = all(xml, "var").findIndex((one) => one.attributes["name"] === name);
  if (variable >= 0) return withValue(xml, "var", "value", value, variable);
  const user = all(xml, "user")[0];
  if (!user) return xml;
  const text = xml.slice(user.start, user.end);
  const line = `<var name="${name}" value="${value}"/>`;
  const opened = text.endsWith("/>") ? `${text.slice(0, -2)}>${line}</user>` : `${text}${line}`;
  return xml.slice(0, user.start) + opened + xml.slice(user.end);
}

/** The process that a template leaves to be named would never be found: it goes when another is named, or none. */
function withProcesses(template: string, processes: string): string {
  const gap = all(template, "proc").findIndex((one) => one.attributes["name"] === "PROCESS_NAME");
  if (gap < 0) return withNamedProcesses(template, processes);
  const named = withNamedProcesses(template, processes);
  return named === template ? withoutElement(template, "errd", 0) : withoutElement(named, "proc", gap);
}

function withNamedProcesses(xml: string, processes: string): string {
  const names = words(processes);
  if (!names.length) return xml;
  const lines = names.map((name) => `<proc name="${name}" atleast="1" action="restart" class="prim"/>`);
  const known = all(xml, "errd");
  if (known.length) {
    const proc = all(xml, "proc");
    return proc.length
      ? lines.reduce((text, line) => withElementAfter(text, "proc", all(text, "proc").length - 1, line), xml)
      : xml.slice(0, known[0]?.end) + lines.join("") + xml.slice(known[0]?.end);
  }
  return withElementAfter(xml, "user", 0, `<errd polltimer="10">${lines.join("")}</errd>`);
}
