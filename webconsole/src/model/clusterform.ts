// The form beside cluster.xml: networks down, nodes across, one address in each cell. Every change
// is a change of the text, which keeps its comments. Pure; whether it is right, the server says.
import { all, type Tag, tags, withElementAfter, withElementInside, withoutElement, withValue } from "./xmlform.ts";

export interface Cell {
  node: string;
  address: string;
  /** Line of the text, from 1; 0: this node is not on this network. */
  line: number;
}

export interface Lan {
  name: string;
  line: number;
  cells: Cell[];
}

interface Found {
  tag: Tag;
  /** Its place among all <node> of the file. */
  index: number;
  lan: number;
}

const lineOf = (xml: string, at: number) => xml.slice(0, at).split("\n").length;

function found(xml: string): Found[] {
  const nodes: Found[] = [];
  let lan = -1;
  for (const tag of tags(xml)) {
    if (tag.path.endsWith("lans/lan")) lan += 1;
    if (tag.name === "node") nodes.push({ tag, index: nodes.length, lan });
  }
  return nodes;
}

/** Names of the nodes, in the order in which they first stand. */
export function nodeNames(xml: string): string[] {
  return [...new Set(found(xml).map((one) => one.tag.attributes["name"] ?? "").filter(Boolean))];
}

export function lans(xml: string): Lan[] {
  const nodes = found(xml);
  const names = nodeNames(xml);
  return all(xml, "lan").map((tag, lan) => ({
    name: tag.attributes["name"] ?? "",
    line: lineOf(xml, tag.start),
    cells: names.map((node) => {
      const own = nodes.find((one) => one.lan === lan && one.tag.attributes["name"] === node);
      return { node, address: own?.tag.attributes["addr"] ?? "", line: own ? lineOf(xml, own.tag.start) : 0 };
    }),
  }));
}

/** Give a node an address on a network; it is put there when it was not. */
export function withAddress(xml: string, lan: number, node: string, address: string): string {
  const nodes = found(xml).filter((one) => one.lan === lan);
  const own = nodes.find((one) => one.tag.attributes["name"] === node);
  // Emptied while it is typed over: the attribute stays, and the check says what is missing.
  if (own) return address === "" ? emptied(xml, own.tag) : withValue(xml, "node", "addr", address, own.index);
  const element = `<node name="${escape(node)}" addr="${escape(address)}"/>`;
  const last = nodes[nodes.length - 1];
  return last ? withElementAfter(xml, "node", last.index, element) : withElementInside(xml, "lan", lan, element);
}

function emptied(xml: string, tag: Tag): string {
  const text = xml.slice(tag.start, tag.end).replace(/(\saddr\s*=\s*)("[^"]*"|'[^']*')/, '$1""');
  return xml.slice(0, tag.start) + text + xml.slice(tag.end);
}

/** A new node, on the first network. */
export function withNode(xml: string, name: string, address: string): string {
  return withAddress(xml, 0, name, address);
}

export function withoutNode(xml: string, name: string): string {
  let next = xml;
  for (;;) {
    const own = found(next).find((one) => one.tag.attributes["name"] === name);
    if (!own) return next;
    next = withoutElement(next, "node", own.index);
  }
}

/** A new network, with a place for every node's address. */
export function withLan(xml: string, name: string): string {
  const last = all(xml, "lan").length - 1;
  const nodes = nodeNames(xml).map((node) => `\n      <node name="${escape(node)}" addr=""/>`).join("");
  return withElementAfter(xml, "lan", last, `<lan name="${escape(name)}">${nodes}\n    </lan>`);
}

export function withoutLan(xml: string, lan: number): string {
  return withoutElement(xml, "lan", lan);
}

export function withLanName(xml: string, lan: number, name: string): string {
  return withValue(xml, "lan", "name", name, lan);
}

/** cluster.xml of a new cluster: one node, on the networks that it has an address on. */
export function firstXml(name: string, addresses: readonly string[]): string {
  const lan = (address: string, index: number) =>
    `    <lan name="${index === 0 ? "default" : `lan${index + 1}`}">\n      <node name="${escape(name)}" addr="${escape(address)}"/>\n    </lan>\n`;
  return `<?xml version="1.0"?>\n<cluster>\n  <lans>\n${addresses.map(lan).join("")}  </lans>\n</cluster>\n`;
}

export type TokenKind = "" | "member" | "new";

/** Who made a token: a node of a cluster, or a new one; "" when it is not a whole one. */
export function tokenKind(token: string): TokenKind {
  if (!tokenAddress(token)) return "";
  return token.trim().startsWith("mirror1new.") ? "new" : "member";
}

/** The address that a token leads to; "" when it is not one. Its secret is never looked at. */
export function tokenAddress(token: string): string {
  const body = /^mirror1(?:new)?\.([\w-]+)$/.exec(token.trim())?.[1];
  if (!body) return "";
  try {
    const raw = atob(body.replace(/-/g, "+").replace(/_/g, "/"));
    const end = 1 + raw.charCodeAt(0);
    const address = raw.slice(1, end);
    return raw.length === end + 50 && /^[!-~]+$/.test(address) ? address : "";
  } catch {
    return "";
  }
}

function escape(text: string): string {
  return text.trim().replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
}
