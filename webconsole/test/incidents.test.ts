import assert from "node:assert/strict";
import { test } from "node:test";
import { modules } from "../src/api/adapt.ts";
import { incidents } from "../src/model/incidents.ts";
import { advice } from "../src/model/safety.ts";
import type { ClusterView, ModuleView } from "../src/model/types.ts";

const MAXLOOP = { code: "stopped.maxloop", facts: {}, text: "Stopped by maxloop" };
const DAY = 86_400_000;
const NOW = 1_750_000_000_000;

function pair(n1: object, n2: object, two: object = {}): ModuleView {
  const state = (node: string, values: object) => ({ node, time_us: NOW * 1000, reachable: true, modules: { web: { local: { node }, configured: true, generation: "g", ...values } } });
  const found = modules([state("n1", n1), { ...state("n2", n2), ...two }], NOW)[0];
  assert.ok(found);
  return found;
}

const PRIM = { state: "PRIM", ready: "Ready" };
const SECOND = { state: "SECOND", ready: "Ready" };
const CLUSTER: ClusterView = {
  configured: true, node: "n1", lans: ["default"], sameConfiguration: true, makesCertificates: true, editing: null,
  nodes: [{ name: "n1", self: true, host: "n1", addresses: [], reachable: true, observed: "", clockMs: 0, version: "1", urls: [], certificateMs: 900 * DAY }],
};

test("nothing is wrong: nothing is said", () => {
  assert.deepEqual(incidents(pair(PRIM, SECOND), CLUSTER, NOW), []);
});

test("a lost node: who serves alone, and since when", () => {
  const view = pair({ state: "ALONE", ready: "Ready", local: { node: "n1", since_us: (NOW - 5000) * 1000 } }, {}, { reachable: false });
  assert.deepEqual(incidents(view, CLUSTER, NOW), [{ kind: "lost", node: "n2", at: NOW - 5000, facts: { by: "n1" } }]);
});

test("a disk that is full, or will be soon", () => {
  const disk = (used: number, full: number | null) => ({ ...PRIM, local: { node: "n1", disk: { used_bytes: used, total_bytes: 100, full_at_us: full } } });
  assert.deepEqual(incidents(pair(disk(89, null), SECOND), null, NOW), []);
  assert.equal(incidents(pair(disk(95, null), SECOND), null, NOW)[0]?.kind, "disk");
  assert.deepEqual(incidents(pair(disk(50, (NOW + DAY) * 1000), SECOND), null, NOW)[0], { kind: "filling", node: "n1", at: null, facts: { free_bytes: 50, full_in_ms: DAY } });
});

test("an application that keeps failing, differences, a certificate, a clock: each leads to an action", () => {
  const failing = pair({ state: "STOP", ready: "NotReady", reason: MAXLOOP.text, reason_said: MAXLOOP }, { state: "ALONE", ready: "Ready", verification: { different: 2 } });
  const node = CLUSTER.nodes[0];
  assert.ok(node);
  const cluster = { ...CLUSTER, nodes: [{ ...node, certificateMs: 3 * DAY, clockMs: -4000 }] };
  const found = incidents(failing, cluster, NOW);
  assert.deepEqual(found.map((one) => one.kind), ["application", "verification", "certificate", "clock"]);
  const inStep = pair(PRIM, SECOND);
  for (const one of found) assert.match(advice({ ...inStep, incidents: [one] }).key, /^advice\.(application|verification|certificate|clock)$/, one.kind);
});

test("what has days does not stand before the second copy", () => {
  const later = { kind: "filling", node: "n2", at: null, facts: { free_bytes: 1, full_in_ms: DAY } };
  const alone = pair({ state: "STOP", ready: "NotReady" }, { state: "ALONE", ready: "Ready" });
  assert.deepEqual([advice({ ...alone, incidents: [later] }).verb, advice({ ...alone, incidents: [later] }).node], ["start", "n1"]);
  assert.equal(advice({ ...pair(PRIM, SECOND), incidents: [later] }).key, "advice.disk");
  assert.equal(advice({ ...alone, incidents: [{ ...later, kind: "disk" }] }).key, "advice.disk");
});
