// Out of service, counted: the time in which neither node served, from the states of both. Pure.
import type { Availability, Span } from "./types.ts";

/** From the moment from which both nodes remember; stops on purpose count too, as SafeKit's users do. */
export function availability(spans: readonly Span[], nodes: readonly string[], now: number): Availability | null {
  const begins = nodes.map((node) => Math.min(...spans.filter((one) => one.node === node).map((one) => one.from)));
  const since = Math.max(...begins.filter(Number.isFinite));
  if (!Number.isFinite(since) || since >= now) return null;
  const served = spans
    .filter((one) => (one.word === "PRIM" || one.word === "ALONE" || one.word === "UP") && one.readiness === "Ready")
    .map((one) => [Math.max(since, one.from), one.to ?? now] as const)
    .filter(([from, to]) => to > from)
    .sort((a, b) => a[0] - b[0]);
  const outages: Availability["outages"] = [];
  // Before the module served for the first time nobody could miss it.
  let until = served[0]?.[0] ?? now;
  const counted = until;
  for (const [from, to] of served) {
    if (from > until) outages.push({ at: until, ms: from - until });
    until = Math.max(until, to);
  }
  if (until < now && served.length) outages.push({ at: until, ms: now - until });
  const downMs = outages.reduce((sum, one) => sum + one.ms, 0);
  return { since: counted, downMs, ratio: now > counted ? 1 - downMs / (now - counted) : 1, outages: outages.reverse() };
}
