// Requests to the node that serves the page, which sends on what is meant for the other one. Knows
// HTTP, problems (RFC 9457) and the session; knows nothing of modules.
import { signal } from "@preact/signals";
import { lang } from "../i18n/index.ts";
import { tell, type Told } from "../i18n/said.ts";
import { plain, type Said, said } from "../model/said.ts";

export interface Connection {
  /** Of the node that serves the page. */
  node: string;
  state: "connecting" | "live" | "lost" | "leaving";
  heardAt: number | null;
  /** To which node the page goes on, once its own is gone. */
  next: string;
}

export const connection = signal<Connection>({ node: "", state: "connecting", heardAt: null, next: "" });

/** Something to say about a line of a file; text, lang: in the reader's language, whenever asked. */
export interface Note {
  line: number;
  level: "error" | "note";
  said: Said;
  readonly text: string;
  readonly lang: string | undefined;
}

/** A refusal, in a sentence. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly said: Said,
    private readonly wrong: Record<string, Said> = {},
    readonly lines: Note[] = [],
  ) {
    super(said.text);
  }

  /** In the reader's language. */
  get told(): Told {
    return tell(this.said);
  }

  /** The same for single fields of what was sent. */
  get fields(): Record<string, Told> {
    return Object.fromEntries(Object.entries(this.wrong).map(([field, one]) => [field, tell(one)]));
  }
}

/** No node answered: not a refusal, something to wait for. */
export class Unreachable extends Error {}

let csrf = "";
/** Called when no session holds any more; set by the application once. */
let onSignedOut: () => void = () => undefined;

export const PROBE_MS = 700;
const REQUEST_MS = 15_000;

export function configure(options: { csrf?: string; onSignedOut?: () => void }): void {
  if (options.csrf !== undefined) csrf = options.csrf;
  if (options.onSignedOut) onSignedOut = options.onSignedOut;
}

export function headers(more: Record<string, string> = {}): Record<string, string> {
  return {
    Accept: "application/json",
    "Accept-Language": lang.value,
    ...(csrf ? { "X-CSRF-Token": csrf } : {}),
    ...more,
  };
}

export interface RequestOptions {
  body?: unknown;
  raw?: BodyInit;
  type?: string;
  timeoutMs?: number;
}

/** One request. Raises Problem (the server's refusal) or Unreachable (no node answered). */
export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(method, path, options);
  if (response.status === 204) return undefined as T;
  const type = response.headers.get("Content-Type") ?? "";
  const body: unknown = type.includes("json") ? await response.json() : await response.text();
  if (response.ok) return body as T;
  if (response.status === 401 && !path.startsWith("/session")) onSignedOut();
  throw problemOf(response.status, body);
}

export async function blob(path: string): Promise<Blob> {
  const response = await send("GET", path, { timeoutMs: 120_000 });
  if (!response.ok) throw problemOf(response.status, await response.json().catch(() => ""));
  return response.blob();
}

async function send(method: string, path: string, options: RequestOptions): Promise<Response> {
  const more: Record<string, string> = {};
  let body: BodyInit | undefined = options.raw;
  if (options.body !== undefined) {
    body = JSON.stringify(options.body);
    more["Content-Type"] = "application/json";
  } else if (options.type) more["Content-Type"] = options.type;
  // Sent once: whether it was done is not known when no answer came, and the person decides.
  const timeout = AbortSignal.timeout(options.timeoutMs ?? REQUEST_MS);
  try {
    return await fetch(`/api/v1${path}`, { method, headers: headers(more), body: body ?? null, signal: timeout });
  } catch (error) {
    throw new Unreachable(String(error));
  }
}

function problemOf(status: number, body: unknown): Problem {
  if (typeof body !== "object" || body === null) return new Problem(status, "", plain(String(body)));
  const values = body as Record<string, unknown>;
  const fields: Record<string, Said> = {};
  const lines: Note[] = [];
  for (const one of (values["errors"] as Record<string, unknown>[] | undefined) ?? []) {
    const wrong = wrongAt(one);
    if (one["line"]) lines.push(note(Number(one["line"]), wrong, "error"));
    // "body.name" is the field `name` of what was sent.
    if (one["field"]) fields[String(one["field"]).replace(/^body\./, "")] = wrong;
  }
  const code = String(values["code"] ?? "");
  const detail = said({ code, facts: values["facts"], text: values["detail"] ?? values["title"] });
  return new Problem(status, code, detail, fields, lines);
}

/** What is wrong at one place of what was sent, and what to do about it. */
export function wrongAt(one: Record<string, unknown>): Said {
  return said(one["said"], [one["sentence"], one["hint"]].filter(Boolean).join("; "));
}

export function note(line: number, wrong: Said, level: Note["level"]): Note {
  return {
    line,
    level,
    said: wrong,
    get text() {
      return tell(wrong).text;
    },
    get lang() {
      return tell(wrong).lang;
    },
  };
}

/** Does the node that serves the page answer within PROBE_MS? Any answer is an answer. */
export async function probe(): Promise<boolean> {
  try {
    await fetch("/api/v1/session", { signal: AbortSignal.timeout(PROBE_MS), cache: "no-store" });
    return true;
  } catch {
    return false;
  }
}

export function signedOut(): void {
  onSignedOut();
}
