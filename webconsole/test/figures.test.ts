import assert from "node:assert/strict";
import { test } from "node:test";
import * as figures from "../src/model/figures.ts";

test("sizes are binary, with three digits at most", () => {
  assert.equal(figures.size(0, "en"), "0 B");
  assert.equal(figures.size(1023, "en"), "1,023 B");
  assert.equal(figures.size(1024, "en"), "1.0 KiB");
  assert.equal(figures.size(1395864371, "en"), "1.3 GiB");
  assert.equal(figures.size(1395864371, "fr"), "1,3 Gio");
  assert.equal(figures.size(1024 * 1024 - 1, "en"), "1.0 MiB");
  assert.equal(figures.size(null, "en"), figures.NO_FIGURE);
});

test("durations have two units at most, and no empty ones", () => {
  assert.equal(figures.duration(252_000, "en"), "4 min 12 s");
  assert.equal(figures.duration(6 * 86_400_000 + 3 * 3_600_000 + 5000, "en"), "6 d 3 h");
  assert.equal(figures.duration(6 * 86_400_000, "fr"), "6 j");
  assert.equal(figures.duration(1100, "fr"), "1,1 s");
  assert.equal(figures.duration(48, "en"), "48 ms");
  assert.equal(figures.duration(0.7, "en"), "700 µs");
  assert.equal(figures.duration(60_000, "en"), "1 min");
});

test("progress never says 100 while something is left", () => {
  assert.equal(figures.percent(999_999, 1_000_000), 99);
  assert.equal(figures.percent(1_000_000, 1_000_000), 100);
  assert.equal(figures.percent(5, 0), null);
});

test("availability has the nines that there are, rounded down", () => {
  assert.equal(figures.availability(0.99997, "en"), "99.997 %");
  assert.equal(figures.availability(1, "fr"), "100 %");
  assert.equal(figures.availability(0.5, "en"), "50.0 %");
  assert.notEqual(figures.availability(0.9999999, "en"), "100 %");
  assert.equal(figures.nines(0.99997), 4);
  assert.equal(figures.nines(0.999), 3);
});

test("a figure is old after three missed refreshes, or when its node is silent", () => {
  assert.equal(figures.age(10_000, 12_900).stale, false);
  assert.equal(figures.age(10_000, 13_100).stale, true);
  assert.equal(figures.age(10_000, 10_000, false).stale, true);
  assert.equal(figures.age(null, 10_000).stale, true);
});
