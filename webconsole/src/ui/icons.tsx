// Shapes. A state always has its own shape, so that colour is never the only sign.
import type { Readiness } from "../model/types.ts";

const PATHS: Record<string, string> = {
  Ready: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM4.6 8.2l2.3 2.3 4.5-4.7",
  Transient: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 4.6v3.7l2.4 1.6",
  NotReady: "M2.6 2.6h10.8v10.8H2.6zM5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6",
  Unknown: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM6.2 6.3c.1-2.4 3.8-2.3 3.7 0 0 1.4-1.9 1.4-1.9 2.9M8 11.4v.2",
  good: "M8 1.2l5.6 2v4.4c0 3.6-2.3 6-5.6 7.2C4.700 13.600 2.400 11.200 2.400 7.600V3.200zM5.200 7.900l2 2 3.600-3.800",
  warn: "M8 1.800l6.800 12.200H1.200zM8 6.200v3.800M8 12v.2",
  bad: "M5.300 1.500h5.400l3.800 3.800v5.400l-3.800 3.800H5.300l-3.800-3.800V5.300zM8 4.600v4.200M8 11.200v.2",
  none: "M8 1.500a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM5 8h6",
  chevron: "M4 6l4 4 4-4",
  right: "M6 3.500l4.500 4.500L6 12.500",
  left: "M10 3.500L5.500 8l4.500 4.500",
  plus: "M8 3v10M3 8h10",
  close: "M3.500 3.500l9 9M12.500 3.500l-9 9",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3.050 3.050l1.060 1.060M11.890 11.890l1.060 1.060M3.050 12.950l1.060-1.060M11.890 4.110l1.060-1.060",
  moon: "M13 9.800A5.700 5.700 0 0 1 6.200 3 5.500 5.500 0 1 0 13 9.800z",
  auto: "M8 1.500a6.500 6.500 0 1 0 0 13V1.500zM8 1.500a6.500 6.500 0 0 1 0 13",
  menu: "M2 4h12M2 8h12M2 12h12",
  folder: "M1.500 4h4.500l1.500 1.800h7v7.200H1.500z",
  file: "M3.500 1.500h6l3 3v10h-9zM9.500 1.500v3h3",
  user: "M8 2.200a2.900 2.900 0 1 0 0 5.800 2.900 2.900 0 0 0 0-5.800zM2.600 14c.5-6 10.300-6 10.800 0",
  address: "M8 1.500c-6 0-6 6-0 13 6-7 6-13 0-13zM8 4.800a1.600 1.600 0 1 0 0 3.200 1.600 1.600 0 0 0 0-3.200z",
  cut: "M1 8h4M11 8h4M6.500 5l3 6",
  lock: "M3.500 7h9v7h-9zM5.500 7V4.800a2.500 2.500 0 0 1 5 0V7",
};

export function Icon({ name, label }: { name: string; label?: string }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 16 16"
      width="16"
      height="16"
      {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" })}
    >
      <path d={PATHS[name] ?? PATHS["Unknown"]} />
    </svg>
  );
}

export function readinessIcon(readiness: Readiness): string {
  return readiness;
}
