// Reading what came as JSON: each field is checked, what is missing or of another kind becomes
// null or a stated default. A newer server must never break an older page.

export type Json = Record<string, unknown>;

export function map(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(map) : [];
}

export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

export function text(value: unknown, otherwise = ""): string {
  return value === null || value === undefined ? otherwise : String(value);
}

export function num(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
