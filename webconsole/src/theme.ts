// Light, dark, or as the system says: an attribute of the page, kept in this browser.
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const STORED = "mirror.theme";

export const theme = signal<Theme>(stored());

function stored(): Theme {
  const value = localStorage.getItem(STORED);
  return value === "light" || value === "dark" ? value : "system";
}

export function setTheme(next: Theme): void {
  theme.value = next;
  localStorage.setItem(STORED, next);
  show();
}

export function show(): void {
  if (theme.value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
}
