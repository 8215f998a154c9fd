import assert from "node:assert/strict";
import { test } from "node:test";
import { lang } from "../src/i18n/index.ts";
import { detail } from "../src/i18n/sent.ts";

const told = (sent: unknown) => detail(JSON.stringify(sent));

test("what was sent is told in words, in both languages", () => {
  const sent = { name: "erika", confirm: true, days: 0, ids: ["a", "b"], mail: { server: "mail", port: 25 }, ready_probe: false, etag: "x", password: "(not kept)" };
  lang.value = "en";
  assert.equal(told(sent), "name erika, confirmed, days 0, versions a b, mail server mail, port 25, ready.txt no");
  lang.value = "fr";
  assert.equal(told(sent), "nom erika, confirmé, jours 0, versions a b, courrier serveur mail, port 25, ready.txt non");
});

test("a name whose value is empty is not told, however deep the emptiness lies", () => {
  for (const language of ["en", "fr"] as const) {
    lang.value = language;
    assert.equal(told({ webhook: { url: "", secret: "(not kept)" }, command: "", kinds: [], mail: { server: "", recipients: [""] }, ldap: null, oidc: {} }), "");
  }
});

test("a long text is told by its length", () => {
  const sent = { path: "bin/start_prim", content: { code: "audit.letters", facts: { letters: 193 }, text: "(193 letters)" } };
  lang.value = "en";
  assert.equal(told(sent), "file bin/start_prim, content (193 letters)");
  lang.value = "fr";
  assert.equal(told(sent), "fichier bin/start_prim, contenu (193 caractères)");
});

test("what is no JSON stands as it was kept", () => {
  assert.equal(detail("swap"), "swap");
});
