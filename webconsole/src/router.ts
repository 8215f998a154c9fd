// Where the reader is: the part of the address after #, so that any node can serve any page and a
// one-time link never reaches a server's log by itself.
import { signal } from "@preact/signals";

export interface Place {
  /** ["m", "postgresql", "log"] for #/m/postgresql/log?node=n1 */
  path: string[];
  query: Record<string, string>;
}

export const place = signal<Place>(read());
/** A page with unsaved typing says so here; leaving asks first. */
export const unsaved = signal(false);

function read(): Place {
  const [path = "", query = ""] = (globalThis.location?.hash ?? "").replace(/^#\/?/, "").split("?");
  return {
    path: path.split("/").filter(Boolean).map(decodeURIComponent),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

export function href(...path: string[]): string {
  return `#/${path.map(encodeURIComponent).join("/")}`;
}

export function go(target: string): void {
  location.hash = target.startsWith("#") ? target : `#${target}`;
}

export function listen(confirmLeaving: () => boolean): void {
  let shown = location.hash;
  addEventListener("hashchange", () => {
    if (unsaved.value && !confirmLeaving()) {
      history.replaceState(null, "", shown || "#/");
      return;
    }
    unsaved.value = false;
    shown = location.hash;
    place.value = read();
    document.getElementById("main")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  });
  addEventListener("beforeunload", (event) => {
    if (unsaved.value) event.preventDefault();
  });
}
