// Logs of two nodes as one: merged by time, each line once, filtered as the reader wishes. Pure.
import type { Lang } from "../i18n/index.ts";
import type { LogLine } from "./types.ts";

/** Levels shown unless verbose ones are asked for: critical, event, error, user, script. */
const SHOWN = new Set(["C", "E", "U", "S", "W"]);

export function merge(...parts: readonly (readonly LogLine[])[]): LogLine[] {
  const byId = new Map<string, LogLine>();
  for (const part of parts) for (const line of part) byId.set(line.id, line);
  return [...byId.values()].sort((a, b) => a.at - b.at || (a.node < b.node ? -1 : 1));
}

export interface Wanted {
  node: string;
  search: string;
  output: boolean;
  verbose: boolean;
}

/** Every word must occur, in any order, in any field, whatever the case. */
export function matches(line: LogLine, wanted: Wanted): boolean {
  if (wanted.node && line.node !== wanted.node) return false;
  if (!wanted.output && line.level === "S") return false;
  if (!wanted.verbose && !SHOWN.has(line.level)) return false;
  const hay = `${line.node} ${line.source} ${line.text}`.toLowerCase();
  return wanted.search.toLowerCase().split(/\s+/).every((one) => hay.includes(one));
}

export function shownTime(at: number, lang: Lang): string {
  const then = new Date(at);
  const time = then.toLocaleTimeString("en-GB", { hour12: false });
  const ms = String(Math.floor(at % 1000)).padStart(3, "0");
  const day = then.toLocaleDateString(lang === "fr" ? "fr-FR" : "en-GB", { day: "2-digit", month: "2-digit" });
  return `${day} ${time}.${ms}`;
}
