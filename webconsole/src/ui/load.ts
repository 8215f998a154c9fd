// Reading something once for a page, again on demand, with its refusal as a sentence.
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem, Unreachable } from "../api/client.ts";
import { t } from "../i18n/index.ts";
import type { Said } from "../model/said.ts";
import { session } from "../store.ts";
import { live, type Shown, shown } from "./words.tsx";

/** When nobody answered, it is read again after this while. */
const AGAIN_MS = 3000;

export interface Loaded<T> {
  value: T | null;
  problem: Shown;
  again: () => void;
}

export function useLoaded<T>(read: () => Promise<T>, dependencies: unknown[]): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [problem, setProblem] = useState<Shown>("");
  const [turn, setTurn] = useState(0);
  const failedIn = useRef("");
  const now = session.value?.csrf ?? "";
  // What failed because the session had ended is read again once there is another one.
  const retried = problem && now !== failedIn.current ? now : "";
  useEffect(() => {
    let wanted = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    read().then(
      (result) => {
        if (!wanted) return;
        setValue(result);
        setProblem("");
      },
      (error: unknown) => {
        failedIn.current = now;
        if (!wanted) return;
        setProblem(error instanceof Unreachable ? live(() => t("error.unread")) : sentenceOf(error));
        if (error instanceof Unreachable) timer = setTimeout(() => setTurn((before) => before + 1), AGAIN_MS);
      },
    );
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [...dependencies, turn, retried]);
  return { value, problem, again: () => setTurn((before) => before + 1) };
}

/** Ask every node and put the answers together; one that does not answer leaves a gap, all raise. */
export async function fromBoth<T>(nodes: readonly string[], read: (node: string) => Promise<T[]>): Promise<T[]> {
  const answers = await Promise.allSettled(nodes.map(read));
  const good = answers.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  const bad = answers.find((one) => one.status === "rejected");
  if (bad && answers.every((one) => one.status === "rejected")) throw bad.reason;
  return good;
}

/** What the server said, with its parts. */
export const saidOf = (error: unknown): Said | null => (error instanceof Problem ? error.said : null);

/** The same, as text alone: for a sentence inside another one. */
export function plainOf(error: unknown): string {
  return error instanceof Problem && error.told.text ? error.told.text : otherwise(error);
}

/** It stays on the page, whatever language that is read in meanwhile. */
export function sentenceOf(error: unknown): Shown {
  return live(() => (error instanceof Problem ? shown(error.told) : "") || otherwise(error));
}

function otherwise(error: unknown): string {
  if (error instanceof Problem) return t("error.status", { status: error.status });
  if (error instanceof Unreachable) return t("error.unreachable");
  return t("error.page", { text: error instanceof Error ? error.message : String(error) });
}
