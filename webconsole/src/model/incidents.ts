// What needs a person, from the facts of a module and of the cluster. Pure. The sentences stand in
// the dictionaries; each leads to one suggested action (safety.ts).
import type { ClusterView, Incident, ModuleView, NodeView } from "./types.ts";

const DISK_FULL_SHARE = 0.9;
const DISK_FULL_SOON_MS = 3 * 86_400_000;
/** Clocks further apart than this make logs misleading, and SafeKit warns too. */
export const CLOCKS_APART_MS = 1000;
export const CERTIFICATE_SOON_MS = 30 * 86_400_000;

export function incidents(module: ModuleView, cluster: ClusterView | null, now: number): Incident[] {
  return [...lost(module), ...module.nodes.flatMap((node) => [...disk(node, now), ...application(node)]), ...verification(module), ...ofCluster(cluster)];
}

function lost(module: ModuleView): Incident[] {
  const serving = module.nodes.find((one) => one.reachable && one.word === "ALONE");
  const silent = module.nodes.find((one) => !one.reachable);
  return serving && silent ? [{ kind: "lost", node: silent.node, at: serving.since, facts: { by: serving.node } }] : [];
}

function disk(node: NodeView, now: number): Incident[] {
  if (!node.disk || !node.disk.total || !node.reachable) return [];
  const { used, total, fullAt } = node.disk;
  const soon = fullAt !== null && fullAt - now < DISK_FULL_SOON_MS;
  if (used / total < DISK_FULL_SHARE && !soon) return [];
  const facts = { free_bytes: total - used };
  return [soon ? { kind: "filling", node: node.node, at: null, facts: { ...facts, full_in_ms: Math.max(0, fullAt - now) } } : { kind: "disk", node: node.node, at: null, facts }];
}

function application(node: NodeView): Incident[] {
  return node.reachable && node.reason.code.startsWith("stopped.maxloop") ? [{ kind: "application", node: node.node, at: node.since, facts: { checker: node.reason } }] : [];
}

function verification(module: ModuleView): Incident[] {
  const files = module.verification.outcome === "repaired" ? 0 : module.verification.different;
  return files ? [{ kind: "verification", node: module.link.to, at: null, facts: { files } }] : [];
}

function ofCluster(cluster: ClusterView | null): Incident[] {
  return (cluster?.nodes ?? []).flatMap((node) => {
    const found: Incident[] = [];
    if (node.certificateMs !== null && node.certificateMs < CERTIFICATE_SOON_MS) found.push({ kind: "certificate", node: node.name, at: null, facts: { left_ms: node.certificateMs } });
    if (node.clockMs !== null && Math.abs(node.clockMs) > CLOCKS_APART_MS) found.push({ kind: "clock", node: node.name, at: null, facts: { difference_ms: Math.abs(node.clockMs) } });
    return found;
  });
}
