// When the node that serves the page dies: a ticket of the other node is at hand, and the page goes
// on there, signed in, at the same place. The CSP lets a page speak to its own node only, so the
// browser moves instead of the requests.
import * as client from "./api/client.ts";
import * as api from "./api/endpoints.ts";
import type { ClusterView } from "./model/types.ts";

interface Successor {
  node: string;
  url: string;
  ticket: string;
  madeAt: number;
}

/** Tickets live a quarter of an hour; a fresh one is at hand well before. */
const RENEW_MS = 8 * 60_000;
/** The page says what happens before it goes; together with the detection under two seconds. */
const SAY_MS = 500;

let successor: Successor | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Have a ticket of the other node at hand, and renew it as long as the session lasts. */
export async function prepare(cluster: ClusterView): Promise<void> {
  clearTimeout(timer);
  timer = setTimeout(() => void api.cluster.get().then(prepare, () => prepare(cluster)), RENEW_MS);
  const other = cluster.nodes.find((one) => !one.self && one.reachable);
  const url = other && urlOf(other.urls);
  if (!other || !url) return;
  // The page of the cluster reads it every few seconds; a ticket is made and noted in the audit.
  if (successor?.node === other.name && successor.url === url && Date.now() - successor.madeAt < RENEW_MS) return;
  try {
    successor = { node: other.name, url, ticket: await api.session.ticket(other.name), madeAt: Date.now() };
  } catch {
    // Without a ticket one signs in there by hand; an older ticket may still hold.
  }
}

export function forget(): void {
  clearTimeout(timer);
  successor = null;
}

/** Prefer an address of the same kind as this page's: loopback with loopback, HTTPS with HTTPS. */
export function urlOf(urls: readonly string[], here: string = location.origin): string | undefined {
  const local = (url: string) => /^https?:\/\/(localhost|127\.|\[::1\])/.test(url);
  return urls.find((one) => local(one) === local(here) && one.slice(0, 5) === here.slice(0, 5)) ?? urls.find((one) => local(one) === local(here));
}

/** Leave for the other node; once, and only if it is the one that was prepared. */
export function goOn(node: string, was: client.Connection): void {
  if (!successor || successor.node !== node) return;
  const { url, ticket } = successor;
  successor = null;
  client.connection.value = { ...was, state: "leaving", next: node };
  const come = new URLSearchParams({ from: was.node, at: String(was.heardAt ?? Date.now()), then: location.hash.slice(1) });
  setTimeout(() => location.assign(`${url.replace(/\/$/, "")}/#/ticket/${encodeURIComponent(ticket)}?${come}`), SAY_MS);
}
