import assert from "node:assert/strict";
import { test } from "node:test";
import { en } from "../src/i18n/en.ts";
import { fr } from "../src/i18n/fr.ts";

const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((one) => one[1]).sort();

test("both languages have the same keys", () => {
  assert.deepEqual(Object.keys(fr).sort(), Object.keys(en).sort());
});

test("both languages say the same values", () => {
  for (const [key, text] of Object.entries(en)) {
    assert.deepEqual(holes(fr[key as keyof typeof en]), holes(text), key);
  }
});

test("nothing is left empty", () => {
  for (const [key, text] of [...Object.entries(en), ...Object.entries(fr)]) assert.ok(text.trim(), key);
});
