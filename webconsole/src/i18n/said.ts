// Sentences of the server in the reader's language, by their code; English where none is known.
import { type Said, said } from "../model/said.ts";
import { bound, lang, type Lang } from "./index.ts";
import french from "./said.fr.json" with { type: "json" };

export const FRENCH: Readonly<Record<string, string>> = bound(french);
const HOLE = /\{(\w+)\}/g;
/** An error's sentence ends with its code, in every language. */
const ERROR = /^MIR-\d+$/;

export interface Told {
  text: string;
  /** The language it is in, when that is not the page's. */
  lang: Lang | undefined;
}

export function tell(one: Said, language: Lang = lang.value): Told {
  const template = language === "fr" ? FRENCH[one.code] : undefined;
  const known = template !== undefined && [...template.matchAll(HOLE)].every((hole) => hole[1]! in one.facts);
  if (!known) return { text: one.text, lang: language === "en" ? undefined : "en" };
  const filled = template.replace(HOLE, (_, name: string) => written(one.facts[name], language));
  return { text: ERROR.test(one.code) ? `${filled} (${one.code})` : filled, lang: undefined };
}

function written(fact: unknown, language: Lang): string {
  if (Array.isArray(fact)) return fact.map((one) => written(one, language)).join(", ");
  if (typeof fact === "number") return fact.toLocaleString(language, { useGrouping: false, maximumFractionDigits: 3 });
  return typeof fact === "object" && fact !== null ? tell(said(fact), language).text : String(fact);
}
