// Server-sent events out of a byte stream (the WHATWG event stream format). Pure: EventSource
// itself can send neither an Authorization header nor go on at another node with the last id.

export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

export class EventParser {
  private buffer = "";
  private data: string[] = [];
  private event = "";
  /** Kept across events: the stream says it only when it changes. */
  lastId = "";

  /** Take text as it came; return the events now whole, in order. Comments are dropped. */
  feed(chunk: string): ServerEvent[] {
    this.buffer += chunk;
    const events: ServerEvent[] = [];
    for (;;) {
      const end = this.buffer.search(/\r\n|\n|\r(?!$)/);
      if (end < 0) return events;
      const line = this.buffer.slice(0, end);
      this.buffer = this.buffer.slice(end + (this.buffer.startsWith("\r\n", end) ? 2 : 1));
      const event = this.line(line);
      if (event) events.push(event);
    }
  }

  private line(line: string): ServerEvent | null {
    if (line === "") return this.dispatch();
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.data.push(value);
    else if (field === "event") this.event = value;
    else if (field === "id" && !value.includes("\0")) this.lastId = value;
    return null;
  }

  private dispatch(): ServerEvent | null {
    const made = this.data.length
      ? { id: this.lastId, event: this.event || "message", data: this.data.join("\n") }
      : null;
    this.data = [];
    this.event = "";
    return made;
  }
}
