import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Answers, answersOf, directoryProblem, nameProblem, processesProblem, servicesProblem, startsNothing, withAnswers } from "../src/model/wizard.ts";
import * as xmlform from "../src/model/xmlform.ts";

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

const MIRROR = readFileSync("../modules/mirror/conf/userconfig.xml", "utf8");
const POSTGRESQL = readFileSync("../modules/postgresql/conf/userconfig.xml", "utf8");
const ANSWERS: Answers = { light: false, template: "mirror", name: "web", directories: ["/srv/shop"], address: "10.0.0.50", networks: ["default", "lan2"], services: "", processes: "", failover: true };

test("the wizard's answers stand in the XML", () => {
  const answers = { light: false, template: "mirror", name: "web", directories: ["/a", "/b"], address: "10.0.0.5", networks: ["lan1", "lan2"], services: "web,db", processes: "httpd", failover: false };
  const xml = withAnswers(XML, answers);
  assert.deepEqual(xmlform.all(xml, "replicated").map((one) => one.attributes["dir"]), ["/a", "/b"]);
  assert.deepEqual(xmlform.all(xml, "heartbeat").map((one) => one.attributes["name"]), ["lan1", "lan2"]);
  assert.equal(xmlform.value(xml, "virtual_addr", "addr"), "10.0.0.5");
  assert.equal(xmlform.value(xml, "service", "failover"), "off");
  assert.equal(xmlform.value(xml, "var", "value"), "web,db");
  assert.equal(xmlform.value(xml, "proc", "name"), "httpd");
  assert.equal(xmlform.all(withAnswers(XML, { ...answers, address: "" }), "vip").length, 0);
});

test("names are refused before they are sent", () => {
  assert.equal(nameProblem("", []), "wizard.name.empty");
  assert.equal(nameProblem("../x", []), "wizard.name.letters");
  assert.equal(nameProblem("lastconfig", []), "wizard.name.reserved");
  assert.equal(nameProblem("web", ["web"]), "wizard.name.taken");
  assert.equal(nameProblem("web_2", ["web"]), null);
});

test("directories that cannot stand together are refused at their field", () => {
  const said = (...directories: string[]) => directories.map((_, at) => directoryProblem(directories, at)?.key ?? "");
  assert.deepEqual(said(""), ["wizard.dir.empty"]);
  assert.deepEqual(said("srv"), ["wizard.dir.absolute"]);
  assert.deepEqual(said("/srv/a", "/srv/a/"), ["", "wizard.dir.twice"]);
  assert.deepEqual(said("/srv/a/b", "/srv/a"), ["wizard.dir.within", ""]);
  assert.deepEqual(said("/srv/ab", "/srv/a"), ["", ""]);
  assert.deepEqual(directoryProblem(["/srv", "/srv/a"], 1)?.values, { dir: "/srv" });
});

test("names of services and processes are looked at before they are sent", () => {
  assert.equal(servicesProblem("postgresql, web@1.service nginx"), null);
  assert.deepEqual(servicesProblem("web;reboot"), { key: "wizard.services.letters", values: { name: "web;reboot" } });
  assert.equal(processesProblem("postgres, nginx"), null);
  assert.equal(processesProblem("/usr/sbin/nginx")?.key, "wizard.processes.letters");
  assert.equal(processesProblem("postgres, a-very-long-name")?.key, "wizard.processes.long");
});

test("a template whose scripts start nothing is told from one that starts something", () => {
  assert.equal(startsNothing(withAnswers(MIRROR, ANSWERS)), true);
  assert.equal(startsNothing(withAnswers(MIRROR, { ...ANSWERS, services: "web" })), false);
  assert.equal(startsNothing(withAnswers(POSTGRESQL, ANSWERS)), false);
});

test("what a template fills in already is not asked again", () => {
  assert.deepEqual(answersOf(MIRROR), { light: false, directories: [""], address: "", services: "", failover: true });
  assert.deepEqual(answersOf(POSTGRESQL).directories, ["/var/lib/postgresql/15/main"]);
});

test("the gaps of the shipped templates are filled, by their macros where they have some", () => {
  for (const template of [MIRROR, POSTGRESQL]) assert.doesNotMatch(withAnswers(template, ANSWERS).replace(/<!--[^]*?-->/g, ""), /TO_BE_DEFINED/);
  const xml = withAnswers(MIRROR, ANSWERS);
  assert.equal(xmlform.value(xml, "replicated", "dir"), "%DIRECTORY%");
  assert.deepEqual(answersOf(xml), { light: false, directories: ["/srv/shop"], address: "10.0.0.50", services: "", failover: true });
});

test("without an address nothing of one is left", () => {
  const xml = withAnswers(MIRROR, { ...ANSWERS, address: "" }).replace(/<!--[^]*?-->/g, "");
  assert.doesNotMatch(xml, /VIRTUAL_IP|TO_BE_DEFINED|<vip/);
});

test("a light module has nothing of a pair, and watches no process that nobody named", () => {
  const light = readFileSync("../modules/light/conf/userconfig.xml", "utf8");
  assert.equal(answersOf(light).light, true);
  const answers = { ...ANSWERS, ...answersOf(light), services: "web" };
  const bare = withAnswers(light, answers);
  assert.deepEqual(["rfs", "vip", "heart", "errd"].map((name) => xmlform.all(bare, name).length), [0, 0, 0, 0]);
  assert.equal(xmlform.value(bare, "service", "failover"), null);
  const watched = withAnswers(light, { ...answers, processes: "httpd, crond" });
  assert.deepEqual(xmlform.all(watched, "proc").map((one) => one.attributes["name"]), ["httpd", "crond"]);
});
