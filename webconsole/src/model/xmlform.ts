// The form beside the XML: reads and changes single attributes in the text, and leaves everything
// else as it was typed, comments and blanks included. Pure; no validator, the server is that.

export interface Tag {
  name: string;
  path: string;
  start: number;
  end: number;
  attributes: Record<string, string>;
}

const TOKEN = /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<[!?][^>]*>|<(\/?)([\w.:-]+)((?:[^>"']|"[^"]*"|'[^']*')*?)(\/?)>/g;
const ATTRIBUTE = /([\w.:-]+)\s*=\s*("([^"]*)"|'([^']*)')/g;
const ENTITIES: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&apos;": "'" };

/** Every opening tag with its path ("safe/service/rfs"), in order. */
export function tags(xml: string): Tag[] {
  const found: Tag[] = [];
  const open: string[] = [];
  for (const match of xml.matchAll(TOKEN)) {
    const [whole, slash, name, inside = "", self] = match;
    if (name === undefined) continue;
    if (slash) {
      open.pop();
      continue;
    }
    open.push(name);
    const attributes: Record<string, string> = {};
    for (const one of inside.matchAll(ATTRIBUTE)) attributes[one[1] ?? ""] = unescape(one[3] ?? one[4] ?? "");
    const start = match.index;
    found.push({ name, path: open.join("/"), start, end: start + whole.length, attributes });
    if (self) open.pop();
  }
  return found;
}

/** The elements of this name, wherever they stand. */
export function all(xml: string, name: string): Tag[] {
  return tags(xml).filter((one) => one.name === name);
}

export function value(xml: string, name: string, attribute: string, index = 0): string | null {
  return all(xml, name)[index]?.attributes[attribute] ?? null;
}

/** Set one attribute of the index-th element of a name; "" removes it. Unchanged when there is no such element. */
export function withValue(xml: string, name: string, attribute: string, next: string, index = 0): string {
  const tag = all(xml, name)[index];
  if (!tag) return xml;
  const text = xml.slice(tag.start, tag.end);
  const pattern = new RegExp(`(\\s+)${attribute}\\s*=\\s*("[^"]*"|'[^']*')`);
  const written = `${attribute}="${escape(next)}"`;
  let changed: string;
  if (pattern.test(text)) changed = text.replace(pattern, (_all, blank: string) => (next === "" ? "" : blank + written));
  else if (next === "") changed = text;
  else changed = text.replace(/\s*(\/?)>$/, (_all, slash: string) => ` ${written}${slash}>`);
  return xml.slice(0, tag.start) + changed + xml.slice(tag.end);
}

/** A value with its macros (`%NAME%`) replaced, as it will be when it is applied. */
export function expanded(xml: string, text: string): string {
  const macros = new Map(all(xml, "macro").map((one) => [one.attributes["name"] ?? "", one.attributes["value"] ?? ""]));
  return text.replace(/%(\w+)%/g, (whole, name: string) => macros.get(name) ?? whole);
}

/** Set an attribute; where it is a macro alone, the macro, so that a template stays readable. */
export function withFilled(xml: string, name: string, attribute: string, next: string, index = 0): string {
  const macro = /^%(\w+)%$/.exec(value(xml, name, attribute, index) ?? "")?.[1];
  const at = macro ? all(xml, "macro").findIndex((one) => one.attributes["name"] === macro) : -1;
  return at < 0 ? withValue(xml, name, attribute, next, index) : withValue(xml, "macro", "value", next, at);
}

/** Put an element after the index-th element of a name, on a line of its own, as far to the right. */
export function withElementAfter(xml: string, name: string, index: number, element: string): string {
  const tag = all(xml, name)[index];
  if (!tag) return xml;
  const end = endOf(xml, tag);
  const line = xml.lastIndexOf("\n", tag.start) + 1;
  const indent = /^[ \t]*/.exec(xml.slice(line))?.[0] ?? "";
  return `${xml.slice(0, end)}\n${indent}${element}${xml.slice(end)}`;
}

/** Put an element at the end of the index-th element of a name. */
export function withElementInside(xml: string, name: string, index: number, element: string): string {
  const tag = all(xml, name)[index];
  if (!tag) return xml;
  const text = xml.slice(tag.start, tag.end);
  if (text.endsWith("/>")) return `${xml.slice(0, tag.end - 2).trimEnd()}>${element}</${name}>${xml.slice(tag.end)}`;
  const close = xml.indexOf(`</${name}`, tag.end);
  return close < 0 ? xml : xml.slice(0, close) + element + xml.slice(close);
}

/** Remove the index-th element of a name with its line, if it stands alone there. */
export function withoutElement(xml: string, name: string, index: number): string {
  const tag = all(xml, name)[index];
  if (!tag) return xml;
  let [start, end] = [tag.start, endOf(xml, tag)];
  const before = xml.lastIndexOf("\n", start - 1);
  if (/^[ \t]*$/.test(xml.slice(before + 1, start)) && /^[ \t]*(\r?\n|$)/.test(xml.slice(end))) {
    start = Math.max(0, before);
    end += /^[ \t]*/.exec(xml.slice(end))?.[0].length ?? 0;
  }
  return xml.slice(0, start) + xml.slice(end);
}

function endOf(xml: string, tag: Tag): number {
  if (xml.slice(tag.start, tag.end).endsWith("/>")) return tag.end;
  const close = xml.indexOf(`</${tag.name}`, tag.end);
  return close < 0 ? tag.end : xml.indexOf(">", close) + 1;
}

function unescape(text: string): string {
  return text.replace(/&(lt|gt|amp|quot|apos);/g, (one) => ENTITIES[one] ?? one);
}

function escape(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
}
