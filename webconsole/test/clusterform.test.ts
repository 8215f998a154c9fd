import assert from "node:assert/strict";
import { test } from "node:test";
import * as form from "../src/model/clusterform.ts";

const FIRST = form.firstXml("n1", ["10.0.0.11", "10.1.0.11"]);

test("a first node stands on a network for each of its addresses", () => {
  assert.deepEqual(form.lans(FIRST).map((one) => [one.name, one.cells]), [
    ["default", [{ node: "n1", address: "10.0.0.11", line: 5 }]],
    ["lan2", [{ node: "n1", address: "10.1.0.11", line: 8 }]],
  ]);
});

test("what was typed is escaped", () => {
  const xml = form.firstXml("n1", ['10.0.0.1"<']);
  assert.equal(form.lans(xml)[0]?.cells[0]?.address, '10.0.0.1"<');
});

test("a new node comes beside the others, where it has an address", () => {
  const xml = form.withAddress(form.withNode(FIRST, "n2", "10.0.0.12"), 1, "n2", "10.1.0.12");
  assert.deepEqual(form.nodeNames(xml), ["n1", "n2"]);
  assert.deepEqual(form.lans(xml).map((one) => one.cells.map((cell) => cell.address)), [["10.0.0.11", "10.0.0.12"], ["10.1.0.11", "10.1.0.12"]]);
  assert.equal(form.withoutNode(xml, "n2"), FIRST);
});

test("an address is typed over, and may be empty meanwhile", () => {
  const emptied = form.withAddress(FIRST, 0, "n1", "");
  assert.equal(form.lans(emptied)[0]?.cells[0]?.address, "");
  assert.equal(form.withAddress(emptied, 0, "n1", "10.0.0.11"), FIRST);
});

test("a network comes and goes; comments stay", () => {
  const xml = FIRST.replace("<lans>", "<lans><!-- two switches -->");
  const more = form.withLan(xml, "lan3");
  assert.deepEqual(form.lans(more).map((one) => one.name), ["default", "lan2", "lan3"]);
  assert.equal(form.withoutLan(more, 2), xml);
  assert.equal(form.lans(form.withLanName(more, 2, "dmz"))[2]?.name, "dmz");
});

test("a network that closes itself takes a node", () => {
  const xml = '<cluster><lans><lan name="a"/></lans></cluster>';
  assert.deepEqual(form.lans(form.withAddress(xml, 0, "n1", "10.0.0.1"))[0]?.cells, [{ node: "n1", address: "10.0.0.1", line: 1 }]);
});

test("a token says where it leads to; anything else says nothing", () => {
  const bytes = [9, ...[..."10.77.1.1"].map((one) => one.charCodeAt(0)), 0x23, 0x32, ...Array<number>(48).fill(7)];
  const token = `mirror1.${btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
  assert.equal(form.tokenAddress(token), "10.77.1.1");
  for (const wrong of ["", "mirror1.", token.slice(0, -4), `${token} x`, "banana"]) assert.equal(form.tokenAddress(wrong), "");
});

test("a token says who made it", () => {
  const bytes = [9, ...[..."10.77.1.1"].map((one) => one.charCodeAt(0)), 0x23, 0x32, ...Array<number>(48).fill(7)];
  const body = btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  assert.deepEqual([`mirror1.${body}`, ` mirror1new.${body}`, "mirror1new.", `mirror2.${body}`].map(form.tokenKind), ["member", "new", "", ""]);
});
