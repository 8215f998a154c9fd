import assert from "node:assert/strict";
import { test } from "node:test";
import { en } from "../src/i18n/en.ts";
import { fr } from "../src/i18n/fr.ts";
import { lang, t } from "../src/i18n/index.ts";
import { FRENCH } from "../src/i18n/said.ts";

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

test("one and many", () => {
  const files = (n: string) => t("facts.n.files", { n });
  lang.value = "en";
  assert.deepEqual([files("0"), files("1"), files("2"), files("1,001")], ["0 files", "1 file", "2 files", "1,001 files"]);
  lang.value = "fr";
  assert.deepEqual([files("0"), files("1"), files("2")], ["0 fichier", "1 fichier", "2 fichiers"]);
});

test("no line of French begins with a sign that is set apart", () => {
  lang.value = "fr";
  const torn = / [:;?!»%]|« /;
  const texts = [...Object.keys(fr).map((key) => t(key as keyof typeof fr)), ...Object.values(FRENCH)];
  assert.deepEqual(texts.filter((text) => torn.test(text)), []);
  lang.value = "en";
});
