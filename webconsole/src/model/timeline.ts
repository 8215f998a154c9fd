// Where the spans of a timeline lie, in percent of its width. Pure.
import type { Span } from "./types.ts";

export interface Placed {
  span: Span;
  left: number;
  width: number;
}

/** Spans cut to the window, in order; a span too short to be seen is still drawn, that wide. */
const WIDTH_MIN = 0.25;

export function layOut(spans: readonly Span[], begin: number, end: number): Placed[] {
  const length = end - begin;
  return spans
    .filter((span) => (span.to ?? end) > begin && span.from < end)
    .sort((a, b) => a.from - b.from)
    .map((span) => {
      const from = Math.max(begin, span.from);
      const to = Math.min(end, span.to ?? end);
      const width = Math.max(WIDTH_MIN, ((to - from) * 100) / length);
      const left = Math.min(100 - width, ((from - begin) * 100) / length);
      return { span, left, width };
    });
}

const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880];

/** A label is drawn around its time: the last part of the window has no room for one. */
const LABEL = 0.05;

/** Round times inside the window, four to seven of them. */
export function ticks(begin: number, end: number): number[] {
  const wanted = (end - begin) / 60_000 / 6;
  const step = (STEPS_MIN.find((one) => one >= wanted) ?? 1440) * 60_000;
  const zone = new Date(end).getTimezoneOffset() * 60_000;
  const found: number[] = [];
  for (let at = Math.ceil((begin - zone) / step) * step + zone; at < end - (end - begin) * LABEL; at += step) found.push(at);
  return found;
}

/** Times of day below a graph, at and xs in seconds. Of one point there is no scale: three years would be drawn. */
export function timesAt(at: readonly number[], xs: readonly number[]): string[] {
  return at.map((one) => (xs.length > 1 ? new Date(one * 1000).toTimeString().slice(0, 8) : ""));
}
