import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { en } from "../src/i18n/en.ts";

/** Written as `prefix.${word}` in the program: the words come from closed lists or from the server. */
const MADE = ["act.", "change.", "aside.what.", "boot.", "incident.", "level.", "link.", "meaning.", "notices.", "phase.", "promise.", "readiness.", "role.", "sent.", "signin.", "tab.", "template.", "theme.", "verify.", "verb.", "wizard.", "form."];

function sources(directory: string): string {
  return readdirSync(directory, { withFileTypes: true })
    .filter((one) => one.name !== "i18n")
    .map((one) => (one.isDirectory() ? sources(join(directory, one.name)) : readFileSync(join(directory, one.name), "utf8")))
    .join("\n");
}

test("every text is used", () => {
  const program = sources("src");
  const unused = Object.keys(en).filter((key) => !program.includes(`"${key}"`) && !MADE.some((one) => key.startsWith(one)));
  assert.deepEqual(unused, []);
});
