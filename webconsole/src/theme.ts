// Light, dark, or as the system says: an attribute of the page, kept in this browser.
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const STORED = "mirror.theme";

const systemsDark = matchMedia("(prefers-color-scheme: dark)");

export const theme = signal<Theme>(stored());

function stored(): Theme {
  const value = localStorage.getItem(STORED);
  return value === "light" || value === "dark" ? value : "system";
}

/** Whether the system is dark now: it may turn so in the evening, with the page open. */
export const systemIsDark = signal(systemsDark.matches);
systemsDark.addEventListener("change", (event) => {
  systemIsDark.value = event.matches;
});

export function setTheme(next: Theme): void {
  theme.value = next;
  localStorage.setItem(STORED, next);
  show();
}

export function show(): void {
  if (theme.value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
}
