// Checkers, processes and heartbeats of both nodes, as tables.
import * as api from "../api/endpoints.ts";
import { lang, t } from "../i18n/index.ts";
import * as figures from "../model/figures.ts";
import type { ModuleView } from "../model/types.ts";
import { now } from "../store.ts";
import { Panel } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { fromBoth, useLoaded } from "../ui/load.ts";

/** Resources do not come as events: they are read this often while they are shown. */
const READ_EVERY_MS = 5000;
const SHAPES: Record<string, string> = { up: "Ready", down: "NotReady", init: "Transient" };

export function Details({ module }: { module: ModuleView }) {
  return (
    <div class="details">
      <Checkers module={module} />
      <Processes module={module} />
      <Heartbeats module={module} />
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
      {names.length === 0 ? <p class="muted">{t("details.checkers.none")}</p> : (
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
                    return (
                      <td key={node.node} class={`resource ${value}`}>
                        {value ? <><Icon name={SHAPES[value] ?? "Unknown"} /> {value} <span class="muted">{found?.since ? figures.duration(now.value - found.since, lang.value) : ""}</span></> : figures.NO_FIGURE}
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
          <table>
            <thead><tr><th scope="col">{t("details.process")}</th><th scope="col">{t("details.node")}</th><th scope="col" class="right">{t("details.running")}</th><th scope="col">{t("details.action")}</th></tr></thead>
            <tbody>
              {lines.map((one) => (
                <tr key={one.node + one.name}>
                  <th scope="row"><code>{one.name}</code> <span class="muted">{one.class}</span></th>
                  <td>{one.node}</td>
                  <td class={`right resource ${one.running >= one.atleast ? "up" : "down"}`}>
                    <Icon name={one.running >= one.atleast ? "Ready" : "NotReady"} /> {t("details.running.of", { n: one.running, least: one.atleast })}
                  </td>
                  <td>{one.action}</td>
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
          <table>
            <thead><tr><th scope="col">{t("details.network")}</th><th scope="col">{t("details.state")}</th><th scope="col" class="right">{t("details.rtt")}</th><th scope="col" class="right">{t("details.jitter")}</th><th scope="col" class="right">{t("details.lost")}</th></tr></thead>
            <tbody>
              {module.link.networks.map((one) => (
                <tr key={one.name}>
                  <th scope="row">{one.name}</th>
                  <td class={`resource ${one.up ? "up" : "down"}`}><Icon name={one.up ? "Ready" : "NotReady"} /> {t(one.up ? "net.ok" : "net.down")}</td>
                  <td class="right">{figures.duration(one.rttMs, lang.value)}</td>
                  <td class="right">{figures.duration(one.jitterMs, lang.value)}</td>
                  <td class="right">{figures.count(one.lost, lang.value)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
