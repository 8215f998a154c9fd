// Checkers, processes and heartbeats of both nodes, as tables.
import * as api from "../api/endpoints.ts";
import { lang, t, word } from "../i18n/index.ts";
import * as figures from "../model/figures.ts";
import type { ModuleView } from "../model/types.ts";
import { now, session } from "../store.ts";
import { Bar, Button, Notice, Panel } from "../ui/basics.tsx";
import { ask } from "./actions.tsx";
import { Icon } from "../ui/icons.tsx";
import { fromBoth, useLoaded } from "../ui/load.ts";
import { Words } from "../ui/words.tsx";

/** Resources do not come as events: they are read this often while they are shown. */
const READ_EVERY_MS = 5000;
/** Names of troubles: down is as it should be. */
const GOOD_WHEN_DOWN = new Set(["rfs.degraded"]);
const SHAPES: Record<string, string> = { up: "Ready", down: "NotReady", init: "Transient" };

export function Details({ module }: { module: ModuleView }) {
  return (
    <div class="details">
      <Checkers module={module} />
      <Processes module={module} />
      <Heartbeats module={module} />
      {module.verification.outcome && <Verifying module={module} />}
    </div>
  );
}

function Checkers({ module: given }: { module: ModuleView }) {
  const read = useLoaded(
    () => fromBoth(given.nodes.map((one) => one.node), async (node) => [{ node, checkers: await api.modules.resources(given.name, node) }]),
    [given.name, given.nodes.map((one) => one.word + one.readiness).join(), Math.floor(now.value / READ_EVERY_MS)],
  );
  const module = {
    ...given,
    nodes: given.nodes.map((one) => ({ ...one, checkers: one.checkers.length ? one.checkers : (read.value?.find((found) => found.node === one.node)?.checkers ?? []) })),
  };
  const names = [...new Set(module.nodes.flatMap((one) => one.checkers.map((c) => c.name)))].sort();
  return (
    <Panel title={t("details.checkers")}>
      {names.length === 0 ? <p class="muted">{read.value ? t("details.checkers.none") : read.problem || t("load.reading")}</p> : (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("details.checkers")}>
          <table>
            <thead><tr><th scope="col">{t("details.resource")}</th>{module.nodes.map((one) => <th key={one.node} scope="col">{one.node}</th>)}</tr></thead>
            <tbody>
              {names.map((name) => (
                <tr key={name}>
                  <th scope="row"><code>{name}</code></th>
                  {module.nodes.map((node) => {
                    const found = node.checkers.find((one) => one.name === name);
                    const value = node.reachable ? (found?.value ?? "") : "";
                    const shown = GOOD_WHEN_DOWN.has(name) && value in SHAPES ? (value === "down" ? "up" : "down") : value;
                    return (
                      <td key={node.node} class={`resource ${shown}`}>
                        {value ? <><Icon name={SHAPES[shown] ?? "Unknown"} /> {value} <span class="muted">{found?.since ? figures.duration(now.value - found.since, lang.value) : ""}</span></> : figures.NO_FIGURE}
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Processes({ module }: { module: ModuleView }) {
  const lines = module.nodes.flatMap((node) => node.processes.map((one) => ({ ...one, node: node.node })));
  return (
    <Panel title={t("details.processes")}>
      {lines.length === 0 ? <p class="muted">{t("details.processes.none")}</p> : (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("details.processes")}>
          <table class="stack">
            <thead><tr><th scope="col">{t("details.process")}</th><th scope="col">{t("details.node")}</th><th scope="col" class="right">{t("details.running")}</th><th scope="col">{t("details.action")}</th></tr></thead>
            <tbody>
              {lines.map((one) => (
                <tr key={one.node + one.name}>
                  <th scope="row"><code>{one.name}</code> <span class="muted">{one.class}</span></th>
                  <td>{one.node}</td>
                  <td class={`right resource ${one.running >= one.atleast ? "up" : "down"}`}>
                    <Icon name={one.running >= one.atleast ? "Ready" : "NotReady"} /> {t("details.running.of", { n: one.running, least: one.atleast })}
                  </td>
                  <td data-label={t("details.action")}>{one.action}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

function Heartbeats({ module }: { module: ModuleView }) {
  return (
    <Panel title={t("details.heartbeats")}>
      {module.link.networks.length === 0 ? <p class="muted">{t("details.heartbeats.none")}</p> : (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("details.heartbeats")}>
          <table class="stack">
            <thead><tr><th scope="col">{t("details.network")}</th><th scope="col">{t("details.state")}</th><th scope="col" class="right">{t("details.jitter")}</th><th scope="col" class="right">{t("details.late")}</th><th scope="col" class="right">{t("details.lost")}</th></tr></thead>
            <tbody>
              {module.link.networks.map((one) => (
                <tr key={one.name}>
                  <th scope="row">{one.name}</th>
                  <td class={`resource ${one.up ? "up" : "down"}`}><Icon name={one.up ? "Ready" : "NotReady"} /> {t(one.up ? "net.ok" : "net.down")}</td>
                  <td class="right" data-label={t("details.jitter")}>{figures.duration(one.jitterMs, lang.value)}</td>
                  <td class="right" data-label={t("details.late")}>{figures.duration(one.lateMs, lang.value)}</td>
                  <td class="right" data-label={t("details.lost")}>{figures.count(one.lost, lang.value)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

/** Both copies compared on line: the last result, file and offset, which side is believed and why. */
function Verifying({ module }: { module: ModuleView }) {
  const found = module.verification;
  const prim = module.nodes.find((one) => one.word === "PRIM" && one.readiness === "Ready");
  const may = session.value?.role !== "Monitor" && prim !== undefined && found.outcome !== "running";
  const shown = found.outcome === "equal" || found.outcome === "repaired" ? "good" : found.outcome === "different" || found.outcome === "interrupted" ? "bad" : "none";
  return (
    <Panel title={t("verify.title")} tools={
      <>
        <Button disabled={!may} onClick={() => prim && ask(module.name, prim.node, "rfsverify", ["start"])}>{t("verb.rfsverify.start")}</Button>
        {found.different > 0 && found.outcome === "different" && <Button kind="primary" disabled={!may} onClick={() => prim && ask(module.name, prim.node, "rfsverify", ["repair"])}>{t("verb.rfsverify.repair")}</Button>}
      </>
    }>
      {found.outcome === "running" && <Bar percent={found.percent} label={t("verify.title")} />}
      <Notice level={shown}>
        {word("verify", found.outcome)}{" "}
        {found.endedAt !== null && <span class="muted">{figures.moment(found.endedAt, now.value, lang.value)}</span>}
        {found.different > 0 && <p>{t("verify.different.count", { n: found.different })} {found.believed && t("verify.believed", { side: found.believed })} <Words of={found.because} /></p>}
        {found.observed.text && <p><Words of={found.observed} /></p>}
      </Notice>
      {found.listed.length > 0 && (
        <div class="scroll tall" tabIndex={0} role="region" aria-label={t("verify.title")}>
          <table>
            <thead><tr><th scope="col">{t("split.file")}</th><th scope="col">{t("verify.kind")}</th><th scope="col" class="right">{t("verify.offset")}</th><th scope="col">PRIM</th><th scope="col">SECOND</th></tr></thead>
            <tbody>
              {found.listed.map((one, index) => (
                <tr key={index}><th scope="row"><code>{one.path}</code></th><td>{word("verify.kind", one.kind)}</td><td class="right">{figures.count(one.offset, lang.value)}</td><td><Found text={one.prim} /></td><td><Found text={one.second} /></td></tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

/** What stands on one side: a word of ours, one and an identity, or a value as it was found. */
function Found({ text }: { text: string }) {
  const [, kind = text, identity = ""] = /^(.+?)( [0-9a-f]{8})$/.exec(text) ?? [];
  const known = word("verify.found", kind);
  return known === kind ? <code>{text}</code> : <>{known}{identity && <code>{identity}</code>}</>;
}
