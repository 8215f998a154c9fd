// The stream of events, resumed after a break where it stopped. It is what notices first that the
// node that serves the page is gone: a beat comes every second.
import * as client from "./client.ts";
import { EventParser, type ServerEvent } from "./sse.ts";

/** Longer without a beat is suspicious; then the node is asked. Together under two seconds. */
const SILENCE_MS = 1250;
const AGAIN_MS_MAX = 2000;

export class EventStream {
  private stopped = false;
  private abort: AbortController | null = null;
  private lastByteAt = 0;
  private lastId = "";
  private watchdog: ReturnType<typeof setInterval> | undefined;

  /** onLost: the node does not answer (any more); called again and again until it does. */
  constructor(
    private readonly onEvent: (event: ServerEvent) => void,
    private readonly onHeard: () => void,
    private readonly onLost: () => void,
  ) {}

  start(): void {
    this.watchdog = setInterval(() => void this.watch(), 200);
    void this.run();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.watchdog);
    this.abort?.abort();
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.stopped; ) {
      const began = Date.now();
      try {
        await this.read();
      } catch {
        // Any end of the stream is the same to us: see whether the node lives, then read again.
      }
      if (this.stopped) return;
      failures = Date.now() - began > 5000 ? 0 : failures + 1;
      if (!(await client.probe())) this.onLost();
      await pause(Math.min(AGAIN_MS_MAX, failures * 200));
    }
  }

  private async read(): Promise<void> {
    this.abort = new AbortController();
    const resume: Record<string, string> = this.lastId ? { "Last-Event-ID": this.lastId } : {};
    const response = await fetch("/api/v1/events", {
      headers: client.headers({ Accept: "text/event-stream", ...resume }),
      cache: "no-store",
      signal: this.abort.signal,
    });
    if (response.status === 401) client.signedOut();
    if (!response.ok || !response.body) throw new Error(String(response.status));
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.lastByteAt = Date.now();
      this.onHeard();
      for (const event of parser.feed(decoder.decode(value, { stream: true }))) {
        this.lastId = event.id;
        this.onEvent(event);
      }
    }
  }

  private async watch(): Promise<void> {
    if (!this.lastByteAt || Date.now() - this.lastByteAt < SILENCE_MS) return;
    this.lastByteAt = Date.now();
    if (!(await client.probe())) {
      this.onLost();
      this.abort?.abort();
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
