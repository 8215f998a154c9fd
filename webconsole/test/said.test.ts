import assert from "node:assert/strict";
import { test } from "node:test";
import { note, Problem } from "../src/api/client.ts";
import { lang } from "../src/i18n/index.ts";
import { FRENCH, tell } from "../src/i18n/said.ts";
import { codes, plain, said } from "../src/model/said.ts";

const HELD = said({
  code: "wait.rule",
  facts: { rule: "t_web", resources: [{ code: "rule.is", facts: { name: "tcp.web", value: "down" }, text: "tcp.web is down" }] },
  text: "Failover rule t_web holds: tcp.web is down",
});

test("a sentence in the sentence is said in the same language", () => {
  assert.deepEqual(tell(HELD, "fr"), { text: "La règle de bascule t_web s'applique\u00a0: tcp.web est down", lang: undefined });
  assert.deepEqual(tell(HELD, "en"), { text: HELD.text, lang: undefined });
  assert.deepEqual(codes(HELD), ["wait.rule", "rule.is"]);
});

test("what has no French is shown, and marked, as English", () => {
  assert.deepEqual(tell(plain("Input/output error"), "fr"), { text: "Input/output error", lang: "en" });
  const newer = said({ code: "wait.of_a_newer_node", facts: {}, text: "Waiting" });
  assert.deepEqual(tell(newer, "fr"), { text: "Waiting", lang: "en" });
});

test("a fact that did not come leaves the English sentence", () => {
  const older = said({ code: "MIR-601", facts: {}, text: "command refused (MIR-601)" });
  assert.deepEqual(tell(older, "fr"), { text: "command refused (MIR-601)", lang: "en" });
});

test("an error keeps its code at the end", () => {
  const refused = said({ code: "MIR-601", facts: { module: "web", verb: "swap", observed: { code: "row.O04", facts: {}, text: "" } }, text: "" });
  assert.match(tell(refused, "fr").text, /^commande refusée\u00a0: web\u00a0: swap\u00a0: le module est arrêté.*\(MIR-601\)$/);
});

test("a number in a sentence is written as its language does", () => {
  const silent = said({ code: "node.silent", facts: { seconds: 2.5 }, text: "silent for more than 2.5 s" });
  assert.equal(tell(silent, "fr").text, "muet depuis plus de 2,5 s");
  assert.equal(tell(said({ code: "node.answers", facts: { status: 1503 }, text: "" }), "fr").text.includes("1503"), true);
});

test("nothing is left empty", () => {
  for (const [code, text] of Object.entries(FRENCH)) assert.ok(text.trim(), code);
});

test("a refusal that stands on the page is told in the language that is read now", () => {
  const empty = said({ code: "field.empty", facts: {}, text: "it is empty" });
  const problem = new Problem(422, "MIR-806", empty, { name: empty }, [note(3, empty, "error")]);
  const told = () => [problem.told.text, problem.fields["name"]?.text, problem.lines[0]?.text];
  const [before, english] = [lang.value, told()];
  try {
    lang.value = before === "fr" ? "en" : "fr";
    for (const [index, text] of told().entries()) assert.notEqual(text, english[index]);
  } finally {
    lang.value = before;
  }
});
