// A sentence of the server, in the reader's language, or marked as English.
import { tell } from "../i18n/said.ts";
import type { Said } from "../model/said.ts";

export function Words({ of }: { of: Said }) {
  const told = tell(of);
  return told.text ? <span lang={told.lang}>{told.text}</span> : null;
}
