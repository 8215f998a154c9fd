// A sentence of the server, in the reader's language, or marked as English.
import type { VNode } from "preact";
import { lang } from "../i18n/index.ts";
import { tell, type Told } from "../i18n/said.ts";
import type { Said } from "../model/said.ts";

/** A sentence as a page shows it: marked where it is in another language than the page. */
export type Shown = string | VNode;

export function shown(told: Told): Shown {
  return told.lang ? <span lang={told.lang}><Marked text={told.text} /></span> : told.text.includes("`") ? <Marked text={told.text} /> : told.text;
}

/** What stands between `these` is a command, and is shown as one. */
export function Marked({ text }: { text: string }) {
  return <>{text.split("`").map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))}</>;
}

/** Words that stand while the reader may choose another language: they are chosen anew then. */
export const live = (words: () => Shown): Shown => <Live words={words} />;

function Live({ words }: { words: () => Shown }) {
  void lang.value;
  return <>{words()}</>;
}

export function Words({ of }: { of: Said }) {
  const told = tell(of);
  return told.text ? <span lang={told.lang}><Marked text={told.text} /></span> : null;
}
