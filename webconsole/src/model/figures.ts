// Figures for people: a number, its unit, its language. Pure. Sizes are binary (GiB; French: Gio),
// as everywhere in this product.
import type { Lang } from "../i18n/index.ts";

const UNITS: Record<Lang, readonly string[]> = {
  en: ["B", "KiB", "MiB", "GiB", "TiB", "PiB"],
  fr: ["o", "Kio", "Mio", "Gio", "Tio", "Pio"],
};
const DAYS: Record<Lang, string> = { en: "d", fr: "j" };
/** Stands where a figure was never heard. */
export const NO_FIGURE = "–";

function number(value: number, digits: number, lang: Lang): string {
  return value.toLocaleString(lang === "fr" ? "fr-FR" : "en-GB", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** 1395864371 -> "1.3 GiB". Three digits at most, one decimal below ten. */
export function size(bytes: number | null | undefined, lang: Lang): string {
  if (bytes === null || bytes === undefined || !Number.isFinite(bytes)) return NO_FIGURE;
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS[lang].length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${number(value, digits, lang)} ${UNITS[lang][unit]}`;
}

export function rate(bytesPerS: number | null | undefined, lang: Lang): string {
  const text = size(bytesPerS, lang);
  return text === NO_FIGURE ? text : `${text}/s`;
}

export function count(value: number | null | undefined, lang: Lang, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NO_FIGURE;
  return number(value, digits, lang);
}

/** Two units at most: "4 min 12 s", "6 d 3 h", "1.1 s", "48 ms". */
export function duration(ms: number | null | undefined, lang: Lang): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NO_FIGURE;
  const positive = Math.max(0, ms);
  if (positive === 0) return "0 s";
  if (positive < 1) return micros(positive * 1000, lang);
  if (positive < 999.5) return `${number(positive, positive < 9.95 ? 1 : 0, lang)} ms`;
  if (positive < 9950) return `${number(positive / 1000, 1, lang)} s`;
  const seconds = Math.round(positive / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86400), DAYS[lang]],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

export function micros(us: number | null | undefined, lang: Lang): string {
  if (us === null || us === undefined || !Number.isFinite(us)) return NO_FIGURE;
  return us < 1000 ? `${number(us, 0, lang)} µs` : duration(us / 1000, lang);
}

/** Never 100 while something is left: rounding down is the honest way. */
export function percent(done: number | null, total: number | null): number | null {
  if (done === null || total === null || total <= 0) return null;
  return Math.min(100, Math.floor((100 * done) / total));
}

/** Time of day with seconds: what stands after "as of". */
export function clock(at: number, lang: Lang): string {
  return new Date(at).toLocaleTimeString(lang === "fr" ? "fr-FR" : "en-GB", { hour12: false });
}

/** Date and time for what is not of today, time only for what is. */
export function moment(at: number | null, now: number, lang: Lang): string {
  if (at === null) return NO_FIGURE;
  const then = new Date(at);
  if (new Date(now).toDateString() === then.toDateString()) return clock(at, lang);
  const day = then.toLocaleDateString(lang === "fr" ? "fr-FR" : "en-GB", {
    day: "numeric",
    month: "short",
    ...(now - at > 300 * 86_400_000 ? { year: "numeric" } : {}),
  });
  return `${day} ${clock(at, lang).slice(0, 5)}`;
}

export interface Age {
  stale: boolean;
  at: number | null;
}

/** A figure is silent for so long before it is shown as old: three missed refreshes. */
export const STALE_AFTER_MS = 3000;

export function age(seen: number | null, now: number, reachable = true): Age {
  return { stale: !reachable || seen === null || now - seen > STALE_AFTER_MS, at: seen };
}

/** "99.997 %": as many nines as there are, and one digit more; never 100 after an outage. */
export function availability(ratio: number, lang: Lang): string {
  if (ratio >= 1) return `${number(100, 0, lang)} %`;
  const missing = 1 - ratio;
  const digits = Math.min(6, Math.max(1, Math.ceil(-Math.log10(missing) - 1e-9) - 2));
  const scale = 10 ** digits;
  return `${number(Math.floor(ratio * 100 * scale + 1e-6) / scale, digits, lang)} %`;
}

/** How many leading nines: 0.99997 -> 4. */
export function nines(ratio: number): number {
  if (ratio >= 1) return 9;
  return Math.max(0, Math.floor(-Math.log10(1 - ratio) + 1e-9));
}
