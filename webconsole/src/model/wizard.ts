// From the answers of the wizard to userconfig.xml: the template's own text with what was answered
// put into it. Pure.
import type { Key } from "../i18n/index.ts";
import { all, withElementAfter, withoutElement, withValue } from "./xmlform.ts";

export interface Answers {
  template: string;
  name: string;
  directories: string[];
  address: string;
  networks: string[];
  start: string;
  stop: string;
  services: string;
  processes: string;
  failover: boolean;
}

/** Names that SafeKit's folders use themselves. */
const RESERVED = new Set(["lastconfig"]);

/** What is wrong with a name, as a key of the dictionary; null when nothing is. */
export function nameProblem(name: string, taken: readonly string[]): Key | null {
  if (name === "") return "wizard.name.empty";
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) return "wizard.name.letters";
  if (RESERVED.has(name)) return "wizard.name.reserved";
  return taken.includes(name) ? "wizard.name.taken" : null;
}

export function withAnswers(template: string, answers: Answers): string {
  let xml = template;
  xml = withDirectories(xml, answers.directories);
  xml = withAddress(xml, answers.address.trim());
  xml = withNetworks(xml, answers.networks);
  xml = withValue(xml, "service", "failover", answers.failover ? "on" : "off");
  xml = withMacro(xml, "SERVICES", answers.services.trim());
  return withProcesses(xml, answers.processes);
}

function withDirectories(xml: string, directories: readonly string[]): string {
  let next = xml;
  directories.forEach((dir, index) => {
    if (index >= all(next, "replicated").length) {
      next = withElementAfter(next, "replicated", index - 1, '<replicated dir="" mode="read_only"/>');
    }
    next = withValue(next, "replicated", "dir", dir, index);
  });
  while (all(next, "replicated").length > Math.max(1, directories.length)) {
    next = withoutElement(next, "replicated", all(next, "replicated").length - 1);
  }
  return next;
}

/** Without an address there is no <vip> at all: an empty one would be refused. */
function withAddress(xml: string, address: string): string {
  if (address) return withValue(xml, "virtual_addr", "addr", address);
  return withoutElement(xml, "vip", 0);
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

function withProcesses(xml: string, processes: string): string {
  const names = processes.split(/[\s,]+/).filter(Boolean);
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

export interface FirstCluster {
  name: string;
  address: string;
  peer: string;
  peerAddress: string;
  network: string;
}

/** cluster.xml of a new cluster; the other node may be named later. */
export function clusterXml(one: FirstCluster): string {
  const quote = (text: string) => `"${text.trim().replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;")}"`;
  const node = (name: string, address: string) => `\n      <node name=${quote(name)} addr=${quote(address)}/>`;
  const peer = one.peer.trim() && one.peerAddress.trim() ? node(one.peer, one.peerAddress) : "";
  return `<?xml version="1.0"?>\n<cluster>\n  <lans>\n    <lan name=${quote(one.network)}>${node(one.name, one.address)}${peer}\n    </lan>\n  </lans>\n</cluster>\n`;
}
