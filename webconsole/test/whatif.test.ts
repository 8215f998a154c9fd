import assert from "node:assert/strict";
import { test } from "node:test";
import { whatIf } from "../src/api/adaptdata.ts";
import { caution, effectOf, forced, receivers } from "../src/model/whatif.ts";
import { plain } from "../src/model/said.ts";
import type { NodeView } from "../src/model/types.ts";

const ASKED = { code: "row.P04", facts: {}, text: "asked" };
const RULE = { code: "broken.both_acknowledge", facts: {}, text: "invariant 6: both nodes acknowledge changes" };
const ANSWER = {
  steps: [
    { node: "n1", state: "WAIT", ready: "Transient", moved: true, rows: [{ row: "P04", why: "asked", said: ASKED }], does: [{ what: "scripts", scripts: ["stop_prim"], text: "runs stop_prim" }] },
  ],
  nodes: [{ node: "n1", state_before: "PRIM", state: "SECOND", ready: "Ready", reason: "" }],
  interrupts: true,
  discards: false,
  warnings: [RULE.text],
  warnings_said: [RULE],
  rests: true,
};
const node = (name: string, word: string) => ({ node: name, word }) as NodeView;

test("the answer of the decision code is shown as it is", () => {
  const plan = whatIf(ANSWER);
  assert.deepEqual(plan.steps[0], {
    node: "n1",
    word: "WAIT",
    readiness: "Transient",
    moved: true,
    rows: [{ row: "P04", why: ASKED }],
    does: [{ what: "scripts", scripts: ["stop_prim"], text: "runs stop_prim" }],
  });
  assert.deepEqual(plan.nodes, [{ node: "n1", before: "PRIM", word: "SECOND", readiness: "Ready", reason: plain("") }]);
  assert.deepEqual(plan.warnings, [RULE]);
  assert.deepEqual(caution({ kind: "told", plan }, "swap", []), { interrupts: true, discards: false });
});

test("what an answer does not say is taken for the worse", () => {
  const plan = whatIf({});
  assert.deepEqual(caution({ kind: "told", plan }, "start", []), { interrupts: true, discards: true });
});

test("without an answer the same is asked as the server would", () => {
  const silent = { kind: "unavailable", sentence: plain("") } as const;
  assert.deepEqual(caution(silent, "stop", []), { interrupts: true, discards: false });
  assert.deepEqual(caution(silent, "primforce", []), { interrupts: true, discards: true });
  assert.deepEqual(caution(silent, "second", ["fullsync"]), { interrupts: true, discards: true });
  assert.deepEqual(caution({ kind: "refused", sentence: plain("x") }, "primforce", []), { interrupts: true, discards: true });
  assert.deepEqual(caution({ kind: "effect", key: "effect.switch" }, "errd", ["off"]), { interrupts: false, discards: false });
});

test("switches ask no decision; both nodes: the secondary first", () => {
  assert.equal(effectOf("errd"), "effect.switch");
  assert.equal(effectOf("swap"), null);
  assert.deepEqual(receivers([node("n1", "PRIM"), node("n2", "SECOND")], "*"), ["n2", "n1"]);
  assert.deepEqual(receivers([node("n1", "PRIM"), node("n2", "SECOND")], "n1"), ["n1"]);
});

test("a start on an administrator's word alone is told from one with proof", () => {
  assert.equal(forced(whatIf(ANSWER)), "");
  const rows = [{ row: "P13", why: "", said: ASKED }, { row: "E09", why: "", said: ASKED }];
  assert.equal(forced(whatIf({ ...ANSWER, steps: [...ANSWER.steps, { ...ANSWER.steps[0], node: "n2", rows }] })), "n2");
});
