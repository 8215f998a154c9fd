import assert from "node:assert/strict";
import { test } from "node:test";
import { modules } from "../src/api/adapt.ts";
import { say } from "../src/i18n/index.ts";
import { advice, safety, served, server } from "../src/model/safety.ts";
import type { ModuleView } from "../src/model/types.ts";

const NOW = 1_763_640_000_000;

function view(n1: [string, string], n2: [string, string], more: Record<string, unknown> = {}, silent = ""): ModuleView {
  const states: Record<string, [string, string]> = { n1, n2 };
  const documents = ["n1", "n2"].map((node) => {
    const peer = node === "n1" ? "n2" : "n1";
    const [state, ready] = states[node] ?? ["", ""];
    const remote = silent ? { node: peer, state: "UNKNOWN", ready: "Unknown" } : { node: peer, state: states[peer]?.[0], ready: states[peer]?.[1] };
    const module = { module: "web", state, ready, generation: "9f", local: { node }, remote, virtual_ips: ["10.0.0.5"], configured: true, ...more };
    return { node, reachable: node !== silent, time_us: NOW * 1000, control_plane: { reachable: true }, modules: { web: module } };
  });
  const found = modules(documents, NOW)[0];
  assert.ok(found);
  return found;
}

const sentence = (module: ModuleView, lang: "en" | "fr" = "en") => say(safety(module, NOW), NOW, lang);

test("both hold everything", () => {
  const module = view(["PRIM", "Ready"], ["SECOND", "Ready"]);
  assert.equal(sentence(module), "Both nodes hold everything. Either one may be lost.");
  assert.equal(advice(module).key, "advice.nothing");
  assert.equal(server(module)?.node, "n1");
  assert.equal(module.link.kind, "live");
});

test("alone: since when, and how much", () => {
  const more = { alone_since_us: (NOW - 252_000) * 1000, replication: { changed_bytes: 1395864371 } };
  const module = view(["ALONE", "Ready"], ["STOP", "NotReady"], more);
  assert.equal(sentence(module), "Only n1 holds the last 4 min 12 s of changes (1.3 GiB). Do not stop it.");
  assert.deepEqual([advice(module).verb, advice(module).node], ["start", "n2"]);
});

test("catching up, in both languages", () => {
  const progress = { phase: "data", bytes_done: 83, bytes_total: 100, eta_ms: 100_000 };
  const module = view(["ALONE", "Ready"], ["SECOND", "Transient"], { progress });
  assert.equal(sentence(module), "n2 is catching up: 83 %, 1 min 40 s left. Until then only n1 is complete.");
  assert.match(sentence(module, "fr"), /^n2 rattrape son retard\u00a0: 83 %, encore 1 min 40 s/);
  assert.equal(module.link.kind, "catching-up");
});

test("a disk without room ends the catching up, and the sentence says so", () => {
  const disk = (free: number) => ({ node: "n2", disk: { used_bytes: 2 ** 40 - free, total_bytes: 2 ** 40 } });
  for (const more of [{ progress: { phase: "data", bytes_done: 83, bytes_total: 100 } }, { alone_since_us: NOW * 1000 }]) {
    const state: [string, string] = ["progress" in more ? "SECOND" : "WAIT", "Transient"];
    const module = view(["ALONE", "Ready"], state, { ...more, local: disk(2 ** 20) });
    assert.equal(sentence(module), "The disk of n2 is full: it cannot catch up. Only n1 is complete.");
    assert.match(sentence(module, "fr"), /^Le disque de n2 est plein/);
    assert.deepEqual([advice(module).key, advice(module).params], ["advice.disk", { node: { node: "n2" } }]);
    assert.notEqual(safety(view(["ALONE", "Ready"], state, { ...more, local: disk(2 ** 30) }), NOW).key, "safety.full");
  }
});

test("the last word of a node whose control plane is silent is old, and said to be", () => {
  const heard = NOW - 12_000;
  const remote = { node: "n2", state: "SECOND", ready: "Ready", mute_since_us: heard * 1000 };
  const n1 = { node: "n1", reachable: true, time_us: NOW * 1000, control_plane: { reachable: true }, modules: { web: { state: "PRIM", ready: "Ready", local: { node: "n1" }, remote } } };
  const n2 = { node: "n2", reachable: true, time_us: NOW * 1000, control_plane: { reachable: false, observed: "no answer" }, modules: { web: { state: "UNKNOWN", local: { node: "n2" } } } };
  const module = modules([n1, n2], NOW)[0];
  assert.ok(module);
  const [, second] = module.nodes;
  assert.deepEqual([second?.word, second?.readiness, second?.mute, second?.seen], ["SECOND", "Unknown", { since: heard }, heard]);
  assert.equal(second?.reason.text, "no answer");
  assert.equal(sentence(module), "Both nodes hold everything, but the control plane of n2 does not answer.");
  assert.deepEqual([safety(module, NOW).level, advice(module).key], ["warn", "advice.mute"]);
  assert.equal(module.nodes[0]?.mute, null);
});

test("of a primary whose control plane is silent the page tells what the other node knows", () => {
  const heard = NOW - 12_000;
  const files = { local: {}, generation: "", directories: ["/srv"], virtual_ips: ["10.0.0.5"], configured: true };
  const lost = { module: "web", state: "UNKNOWN", ready: "", reason: "no answer", replication: {}, heartbeats: null, ...files };
  const beats = { default: { silent: true, lost: 3 } };
  const verified = { outcome: "equal", different: 0 };
  const told = { module: "web", state: "SECOND", ready: "Ready", ...files, generation: "9f", replication: { capture: "watch" }, heartbeats: beats, verification: verified };
  for (const [primary, second] of [["n1", "n2"], ["n2", "n1"]] as const) {
    const remote = { node: primary, state: "PRIM", ready: "Ready", mute_since_us: heard * 1000 };
    const documents = [
      { node: primary, reachable: true, time_us: NOW * 1000, control_plane: { reachable: false, observed: "no answer" }, modules: { web: { ...lost, local: { node: primary } } } },
      { node: second, reachable: true, time_us: NOW * 1000, control_plane: { reachable: true }, modules: { web: { ...told, local: { node: second }, remote } } },
    ].sort((one, other) => one.node.localeCompare(other.node));
    const module = modules(documents, NOW)[0];
    assert.ok(module);
    assert.deepEqual([server(module)?.node, server(module)?.mute], [primary, { since: heard }]);
    assert.deepEqual([module.link.kind, module.link.from, module.link.to], ["async", primary, second]);
    assert.deepEqual([module.watch, module.verification.outcome, module.link.networks.map((one) => one.name)], [true, "equal", ["default"]]);
  }
});

test("a primary that holds writes back is not called safe", () => {
  const module = view(["PRIM", "Transient"], ["SECOND", "Ready"]);
  assert.notEqual(safety(module, NOW).level, "good");
});

test("a secondary that is not ready is not called safe", () => {
  const module = view(["PRIM", "Ready"], ["SECOND", "Transient"]);
  assert.notEqual(safety(module, NOW).level, "good");
});

test("a silent primary is not shown as serving, and nobody is told that both hold everything", () => {
  const module = view(["PRIM", "Ready"], ["SECOND", "Ready"], {}, "n1");
  assert.equal(server(module), null);
  assert.equal(safety(module, NOW).key, "safety.stopped.silent");
});

test("split brain goes before everything else", () => {
  const module = view(["ALONE", "Ready"], ["ALONE", "Ready"], { reason_said: { code: "reintegration.serves", facts: { row: "G23", why: { code: "generation.G23", facts: {}, text: "split brain" } }, text: "this node serves, but split brain (row G23)" } });
  assert.match(sentence(module), /^The nodes disagree\. Nothing was thrown away/);
  assert.equal(advice(module).page, "split");
});

test("watch capture says its lag", () => {
  const module = view(["PRIM", "Ready"], ["SECOND", "Ready"], { replication: { capture: "watch", lag_ms: 800 } });
  assert.equal(sentence(module), "Copies are asynchronous here: n2 is 800 ms behind.");
});

test("every pair of states has a sentence and an advice", () => {
  const words = ["STOP", "WAIT", "ALONE", "PRIM", "SECOND", "UNKNOWN"];
  for (const a of words) {
    for (const b of words) {
      for (const ready of ["Ready", "Transient", "NotReady"]) {
        const module = view([a, ready], [b, ready]);
        assert.doesNotMatch(sentence(module), /[{}]|undefined/);
        assert.doesNotMatch(say(advice(module), NOW, "fr"), /[{}]|undefined/);
      }
    }
  }
});

test("a primary that died does not speak for the pair: the progress is the other one's", () => {
  const document = (node: string, reachable: boolean, module: object) => ({ node, reachable, time_us: NOW * 1000, control_plane: { reachable: true }, modules: { web: { module: "web", generation: "9f", local: { node }, configured: true, ...module } } });
  const progress = { phase: "data", bytes_done: 1, bytes_total: 4 };
  const found = modules([
    document("n1", false, { state: "PRIM", ready: "Ready", heartbeats: { default: { silent: false } } }),
    document("n2", true, { state: "ALONE", ready: "Ready", remote: { node: "n1", state: "SECOND", ready: "Transient" }, progress, heartbeats: { default: { silent: true } } }),
  ], NOW)[0];
  assert.ok(found);
  assert.equal(sentence(found), "n1 is catching up: 25 %. Until then only n2 is complete.");
  assert.equal(found.link.networks[0]?.up, false);
});

const WAITS: [string, string] = ["WAIT", "NotReady"];
const because = (code: string) => ({ reason: "x", reason_said: { code, facts: {}, text: "x" } });

test("who waits for a silent node that may hold more: what to do, and what to do if that one is lost", () => {
  // Also a secondary whose host stood still just before its primary fell silent.
  const found = advice(view(["PRIM", "Ready"], WAITS, because("wait.peer_may_hold_newer"), "n1"));
  assert.deepEqual([found.verb, found.node, found.button], ["prim", "n2", "advice.prim.button"]);
  assert.match(say(found, NOW), /^Bring n1 back: it may hold changes that n2 has not.*If n1 is lost for good, start n2 as primary/);
  assert.match(say(found, NOW, "fr"), /^Ramenez n1.*Si n1 est perdu pour de bon, démarrez n2 en primaire/);
});

test("with failover off a person decides, whether the other node answers or not", () => {
  for (const [other, silent] of [["PRIM", "n1"], ["STOP", ""]] as const) {
    const found = advice(view([other, "NotReady"], WAITS, because("wait.failover_off"), silent));
    assert.deepEqual([found.key, found.verb, found.node], ["advice.failover.off", "prim", "n2"]);
  }
});

test("a copy that is not complete is forced by no button: prim would be refused, and something lost", () => {
  for (const reason of ["wait.not_complete", "wait.target", "wait.disk_failed", "wait.misfit"]) {
    const found = advice(view(["PRIM", "Ready"], WAITS, because(reason), "n1"));
    assert.deepEqual([found.key, found.verb, found.button], ["advice.incomplete", undefined, undefined]);
  }
});

test("nobody serves: no node is said to catch up while the application runs", () => {
  const waited = advice(view(["STOP", "NotReady"], WAITS, because("wait.peer_is_source")));
  assert.deepEqual([waited.key, waited.node], ["advice.start.waited", "n1"]);
  const alone = advice(view(["PRIM", "Ready"], ["STOP", "NotReady"], {}, "n1"));
  assert.deepEqual([alone.key, alone.verb, alone.node], ["advice.start.silent", "start", "n2"]);
});

test("a light module is of one node: nothing is said of a pair", () => {
  const more = { safety_said: { code: "safe.light", facts: {}, text: "" }, generation: "" };
  const stopped = view(["STOP", "NotReady"], ["STOP", "NotReady"], more);
  assert.match(sentence(stopped), /^A light module: nothing is copied/);
  assert.deepEqual([advice(stopped).verb, advice(stopped).node], ["start", "n1"]);
  const runs = view(["UP", "Ready"], ["UP", "Ready"], more);
  assert.equal(say(served(runs), NOW), "runs on n1, n2");
  assert.deepEqual([safety(runs, NOW).level, advice(runs).key], ["good", "advice.nothing"]);
});

test("two nodes that wait for a choice are not said to serve", () => {
  const module = view(["WAIT", "NotReady"], ["WAIT", "NotReady"], because("wait.split"));
  assert.equal(say(served(module), NOW), "no node serves");
});
