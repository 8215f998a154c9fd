import assert from "node:assert/strict";
import { test } from "node:test";
import { logLine } from "../src/api/adapt.ts";
import { EventParser } from "../src/api/sse.ts";
import { etaMs, rateOf, type Sample, withSample } from "../src/model/eta.ts";
import { matches, merge } from "../src/model/log.ts";
import { layOut, ticks, timesAt } from "../src/model/timeline.ts";
import type { LogLine, Span } from "../src/model/types.ts";
import * as xmlform from "../src/model/xmlform.ts";

test("events come whole however the bytes are cut", () => {
  const stream = ': hello\nid: 7\nevent: state\ndata: {"a":\ndata: 1}\n\nid: 8\r\ndata: x\r\n\r\n';
  for (let cut = 1; cut < stream.length; cut += 1) {
    const parser = new EventParser();
    const events = [...parser.feed(stream.slice(0, cut)), ...parser.feed(stream.slice(cut))];
    assert.deepEqual(events, [
      { id: "7", event: "state", data: '{"a":\n1}' },
      { id: "8", event: "message", data: "x" },
    ], String(cut));
  }
});

test("time left: from what was seen, and never from too little", () => {
  let samples: Sample[] = [];
  samples = withSample(samples, { at: 0, done: 0 });
  samples = withSample(samples, { at: 1000, done: 100 });
  assert.equal(rateOf(samples), null);
  samples = withSample(samples, { at: 2000, done: 200 });
  assert.equal(etaMs(samples, 1000), 8000);
  assert.equal(withSample(samples, { at: 3000, done: 5 }).length, 1);
  assert.equal(etaMs([{ at: 0, done: 5 }, { at: 9000, done: 5 }], 10), null);
});

const span = (node: string, word: Span["word"], from: number, to: number | null, readiness: Span["readiness"] = "Ready"): Span => ({ node, word, readiness, from, to, row: "" });

test("spans are cut to the window and never vanish", () => {
  const placed = layOut([span("n1", "PRIM", 0, 50), span("n1", "STOP", 50, 50.001), span("n1", "ALONE", 50, null)], 25, 125);
  assert.deepEqual([placed[0]?.left, placed[0]?.width], [0, 25]);
  assert.ok((placed[1]?.width ?? 0) >= 0.25);
  const marks = ticks(0, 3_600_000);
  assert.ok(marks.length >= 4 && marks.length <= 7);
});

const line = (id: string, node: string, at: number, text: string, level = "E"): LogLine => ({ id, node, at, level, source: "heart", text });

test("a line that came live and was read later stands once", () => {
  const said = { time_us: 1_700_000_000_123_456, level: "E", source: "heart", text: "Local state ALONE Ready" };
  const lines = merge([logLine("n1", { ...said, id: 7 })], [logLine("n1", said)], [logLine("n2", said)]);
  assert.deepEqual(lines.map((one) => one.node), ["n1", "n2"]);
});

test("logs are merged by time, each line once", () => {
  const merged = merge([line("a", "n1", 2, "two"), line("b", "n1", 4, "four")], [line("c", "n2", 3, "three"), line("a", "n1", 2, "two")]);
  assert.deepEqual(merged.map((one) => one.text), ["two", "three", "four"]);
});

test("search takes words in any order", () => {
  const wanted = { node: "", search: "ready local", output: true, verbose: false };
  assert.ok(matches(line("a", "n1", 1, "Local state PRIM Ready"), wanted));
  assert.ok(!matches(line("a", "n1", 1, "Local state PRIM Ready"), { ...wanted, node: "n2" }));
  assert.ok(!matches(line("a", "n1", 1, "Local Ready", "D"), wanted));
  assert.ok(!matches(line("a", "n1", 1, "Local Ready", "S"), { ...wanted, output: false }));
});

const XML = `<!DOCTYPE safe>
<safe>
  <!-- <rfs async="none"/> stays -->
  <service mode="mirror">
    <heart><heartbeat name="default"/></heart>
    <vip><interface_list><interface><real_interface><virtual_addr addr="" where="one_side_alias"/></real_interface></interface></interface_list></vip>
    <rfs async="second">
      <replicated dir="" mode="read_only"/>
    </rfs>
    <user/>
  </service>
</safe>
`;

test("one attribute is changed, everything else stays as it was typed", () => {
  assert.equal(xmlform.withValue(XML, "rfs", "async", "none"), XML.replace('async="second"', 'async="none"'));
  assert.equal(xmlform.withValue(XML, "rfs", "acl", 'a"<&'), XML.replace('<rfs async="second">', '<rfs async="second" acl="a&quot;&lt;&amp;">'));
  assert.equal(xmlform.value(xmlform.withValue(XML, "rfs", "acl", 'a"<&'), "rfs", "acl"), 'a"<&');
  assert.equal(xmlform.withValue(XML, "rfs", "async", ""), XML.replace(' async="second"', ""));
});

test("elements come and go with their lines", () => {
  const more = xmlform.withElementAfter(XML, "replicated", 0, '<replicated dir="/b"/>');
  assert.match(more, /\n {6}<replicated dir="" mode="read_only"\/>\n {6}<replicated dir="\/b"\/>\n/);
  assert.equal(xmlform.withoutElement(more, "replicated", 1), XML);
});

test("a graph of one point has no times below it: it has no scale", () => {
  const at = new Date(2026, 5, 1, 15, 31, 5).getTime() / 1000;
  assert.deepEqual(timesAt([at], [at, at + 1]), ["15:31:05"]);
  assert.deepEqual(timesAt([0, 86_400], [at]), ["", ""]);
  assert.deepEqual(timesAt([0], []), [""]);
});
