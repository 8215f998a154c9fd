// How long is left, from what was seen: an average over a window, so that it does not jump.

export interface Sample {
  at: number;
  done: number;
}

const WINDOW_MS = 15_000;
/** Before so much was seen there is no rate worth showing. */
const SEEN_MS_MIN = 1_500;

/** Add a sample; forget those older than the window, and all when the work began again. */
export function withSample(samples: readonly Sample[], next: Sample): Sample[] {
  const last = samples[samples.length - 1];
  if (last && next.done < last.done) return [next];
  return [...samples.filter((one) => next.at - one.at <= WINDOW_MS), next];
}

/** Bytes a second, or null while too little was seen. */
export function rateOf(samples: readonly Sample[]): number | null {
  const [first, last] = [samples[0], samples[samples.length - 1]];
  if (!first || !last || last.at - first.at < SEEN_MS_MIN) return null;
  return ((last.done - first.done) * 1000) / (last.at - first.at);
}

/** Milliseconds left, or null when nothing moves or nothing is known. */
export function etaMs(samples: readonly Sample[], total: number): number | null {
  const rate = rateOf(samples);
  const last = samples[samples.length - 1];
  if (rate === null || rate <= 0 || !last) return null;
  return (Math.max(0, total - last.done) * 1000) / rate;
}
