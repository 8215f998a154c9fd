// A sentence of the server: in English, and with what it was made of (mirror/vocabulary/said.py), so
// that it can be written in the reader's language and acted upon without reading it. Pure.
import { type Json, map, text } from "../api/json.ts";

export interface Said {
  /** The English sentence. */
  text: string;
  /** Of the catalogue; "" when there is nothing but the sentence. */
  code: string;
  facts: Json;
}

export const plain = (sentence: string): Said => ({ text: sentence, code: "", facts: {} });

/** parts: {code, facts, text}, or nothing. sentence: what is said when there are none. */
export function said(parts: unknown, sentence = ""): Said {
  const json = map(parts);
  return { text: text(json["text"]) || sentence, code: text(json["code"]), facts: map(json["facts"]) };
}

/** The code of a sentence and those of the sentences in it. */
export function codes(one: Said): string[] {
  const inside = Object.values(one.facts).flatMap((fact) => (Array.isArray(fact) ? fact : [fact]));
  return [one.code, ...inside.filter((fact) => typeof fact === "object" && fact !== null).flatMap((fact) => codes(said(fact)))].filter(Boolean);
}
