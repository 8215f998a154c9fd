// What was sent with a request, as the audit keeps it, in the reader's words.
import { type Json, map } from "../api/json.ts";
import { said } from "../model/said.ts";
import { t, word } from "./index.ts";
import { tell } from "./said.ts";

const NOT_KEPT = "(not kept)";
/** What a page sends along for itself. */
const OF_THE_PAGE = new Set(["etag", "key"]);

/** As words; what is secret, long or empty is not worth one. */
export function detail(kept: string): string {
  try {
    return words(map(JSON.parse(kept)));
  } catch {
    return kept;
  }
}

function words(sent: Json): string {
  const parts = Object.entries(sent).map(([name, value]) => (OF_THE_PAGE.has(name) ? "" : part(name, value)));
  return parts.filter(Boolean).join(", ");
}

/** A name alone would look as if its value had been lost. */
function part(name: string, value: unknown): string {
  if (value === true) return word("sent", name);
  const text = written(value);
  return text && `${word("sent", name)} ${text}`;
}

function written(value: unknown): string {
  if (value === null || value === NOT_KEPT) return "";
  if (Array.isArray(value)) return value.map(written).filter(Boolean).join(" ");
  if (value === false) return t("sent.no");
  if (typeof value !== "object") return String(value);
  const one = said(value);
  return one.code ? tell(one).text : words(map(value));
}
