// The reader's language: which dictionary, how values are written in it. Knows no page.
import { signal } from "@preact/signals";
import * as figures from "../model/figures.ts";
import type { Param, Sentence } from "../model/safety.ts";
import { en } from "./en.ts";
import { fr } from "./fr.ts";

export type Lang = "en" | "fr";
export type Key = keyof typeof en;

/** French sets a space before these signs, and no line begins with one of them. */
export function bound<Text extends Record<string, string>>(texts: Text): Text {
  const bind = (text: string) => text.replace(/ (?=[:;?!»%])/g, "\u00a0").replace(/« /g, "«\u00a0");
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, bind(text)])) as Text;
}

const DICTIONARIES: Record<Lang, Record<Key, string>> = { en, fr: bound(fr) };
const STORED = "mirror.lang";

export const lang = signal<Lang>(first());

function first(): Lang {
  const stored = globalThis.localStorage?.getItem(STORED);
  if (stored === "en" || stored === "fr") return stored;
  return globalThis.navigator?.language?.toLowerCase().startsWith("fr") ? "fr" : "en";
}

export function setLang(next: Lang): void {
  lang.value = next;
  globalThis.localStorage?.setItem(STORED, next);
  document.documentElement.lang = next;
}

/** The text of a key: `{name}` is the value of that name, `[file|files]` goes by `n`. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(counted(DICTIONARIES[lang.value][key], String(values["n"]), lang.value), values);
}

/** One, and in French none too, takes the first of two forms. */
function counted(text: string, n: string, language: Lang): string {
  const single = n === "1" || (language === "fr" && n === "0");
  return text.replace(/\[([^|\]]*)\|([^\]]*)\]/g, (_, one: string, many: string) => (single ? one : many));
}

export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) =>
    name in values ? String(values[name]) : whole,
  );
}

/** A word of a closed list that the server may know better than we do: unknown ones as they are. */
export function word(prefix: string, name: string): string {
  const key = `${prefix}.${name}`;
  return key in en ? t(key as Key) : name;
}

/** The text of a key that may not exist: "" then. */
export function maybe(key: string, values: Record<string, string | number> = {}): string {
  return key in en ? t(key as Key, values) : "";
}

export function say(sentence: Sentence, now: number, language: Lang = lang.value): string {
  const values: Record<string, string> = {};
  for (const [name, param] of Object.entries(sentence.params)) {
    values[name] = write(param, now, language);
  }
  return fill(DICTIONARIES[language][sentence.key], values);
}

function write(param: Param, now: number, language: Lang): string {
  if ("ms" in param) return figures.duration(param.ms, language);
  if ("bytes" in param) return figures.size(param.bytes, language);
  if ("percent" in param) return `${param.percent} %`;
  if ("count" in param) return figures.count(param.count, language);
  if ("at" in param) return figures.moment(param.at, now, language);
  return "node" in param ? param.node : param.text;
}
