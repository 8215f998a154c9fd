// The card of one node of a module: state, application, disk, and the actions for it.
import { lang, t, word } from "../i18n/index.ts";
import * as figures from "../model/figures.ts";
import type { ModuleView, NodeView } from "../model/types.ts";
import { now, session } from "../store.ts";
import { Button, Figure, StateChip } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { ActionsMenu, ask } from "./actions.tsx";

export function NodeCard({ module, node }: { module: ModuleView; node: NodeView }) {
  return (
    <section class={`card ${node.reachable ? node.readiness : "Unknown"}`} aria-label={t("card.label", { node: node.node })}>
      <header>
        <h2>{node.node}</h2>
        <StateChip word={node.word} readiness={node.readiness} reachable={node.reachable} />
      </header>
      <p class="card-role">
        {node.holdsAddress && node.reachable && <span class="address"><Icon name="address" />{t("card.address")}</span>}
        <span>{since(node)}</span>
      </p>
      <dl class="figures">
        <Figure label={t("card.application")} text={application(node)} seen={node.seen} reachable={node.reachable} />
        <Figure label={t("card.disk")} text={disk(node)} seen={node.seen} reachable={node.reachable} />
        {node.loops && <Figure label={t("card.loops")} text={t("card.loops.value", node.loops)} seen={node.seen} reachable={node.reachable} />}
        <Figure label={t("card.boot")} text={word("boot", node.boot || "ignore")} seen={node.seen} reachable={node.reachable} />
      </dl>
      <footer>
        <Quick module={module} node={node} />
        <ActionsMenu module={module} node={node} />
      </footer>
    </section>
  );
}

function since(node: NodeView): string {
  if (node.mute) {
    const { since: at } = node.mute;
    return at === null ? t("card.mute") : t("card.mute.since", { time: figures.clock(at, lang.value), age: figures.duration(now.value - at, lang.value) });
  }
  if (!node.reachable) {
    return node.seen === null ? t("card.never.heard") : t("card.silent.since", { time: figures.moment(node.seen, now.value, lang.value) });
  }
  return node.since === null ? "" : t("card.since", { duration: figures.duration(now.value - node.since, lang.value) });
}

function application(node: NodeView): string {
  // start_prim has returned where a node serves and is ready: that is what is known without a checker.
  if (!node.application) return t(node.readiness === "Ready" && ["PRIM", "ALONE", "UP"].includes(node.word) ? "card.app.on" : "card.app.off");
  if (!node.application.running) return t("card.app.off");
  if (node.application.since === null) return t("card.app.on");
  return t("card.app.since", { duration: figures.duration(now.value - node.application.since, lang.value) });
}

function disk(node: NodeView): string {
  if (!node.disk || !node.disk.total) return figures.NO_FIGURE;
  return t("card.disk.value", {
    percent: figures.percent(node.disk.used, node.disk.total) ?? 0,
    total: figures.size(node.disk.total, lang.value),
  });
}

/** The two actions used most stay at their places, whether they are possible now or not. */
function Quick({ module, node }: { module: ModuleView; node: NodeView }) {
  const may = session.value?.role !== "Monitor" && node.reachable;
  const stopped = node.word === "STOP";
  return (
    <>
      <Button disabled={!may} onClick={() => ask(module.name, node.node, stopped ? "start" : "stop")}>
        {t(stopped ? "verb.start" : "verb.stop")}
      </Button>
      <Button disabled={!may || node.word !== "PRIM" || node.readiness !== "Ready"} onClick={() => ask(module.name, node.node, "swap")}>
        {t("verb.swap")}
      </Button>
    </>
  );
}
