// From the data plane's counters to figures a second: differences over the last seconds. Pure.

export interface Counted {
  at: number;
  changes: number;
  bytes: number;
  waits: number;
  waitsNs: number;
}

export interface Rates {
  writesPerS: number;
  bytesPerS: number;
  /** Mean time that a change waited for the secondary; null when none did. */
  meanUs: number | null;
}

const WINDOW_MS = 2500;

/** Add what was counted; counters that fell began again with a new process. */
export function withCount(known: readonly Counted[], next: Counted): Counted[] {
  const last = known[known.length - 1];
  if (last && (next.changes < last.changes || next.bytes < last.bytes)) return [next];
  const kept = known.filter((one) => next.at - one.at <= WINDOW_MS && one.at < next.at);
  return [...kept, next];
}

/** null while too little was seen. */
export function ratesOf(known: readonly Counted[]): Rates | null {
  const [first, last] = [known[0], known[known.length - 1]];
  if (!first || !last || last.at - first.at < 500) return null;
  const seconds = (last.at - first.at) / 1000;
  const waits = last.waits - first.waits;
  return {
    writesPerS: (last.changes - first.changes) / seconds,
    bytesPerS: (last.bytes - first.bytes) / seconds,
    meanUs: waits > 0 ? (last.waitsNs - first.waitsNs) / waits / 1000 : null,
  };
}
