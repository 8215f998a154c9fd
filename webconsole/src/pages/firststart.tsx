// First start: which node has the good data. The facts of both stand side by side, so that the
// copy goes the right way; what would be replaced is counted before.
import { useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { type Json, list, num, text } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import * as figures from "../model/figures.ts";
import type { ModuleView } from "../model/types.ts";
import { now, session } from "../store.ts";
import { Button, Notice, Panel, StateChip } from "../ui/basics.tsx";
import { fromBoth, useLoaded } from "../ui/load.ts";
import { ask } from "./actions.tsx";

export function FirstStart({ module }: { module: ModuleView }) {
  const loaded = useLoaded(() => fromBoth(module.nodes.map((one) => one.node), async (node) => [{ ...(await api.modules.facts(module.name, node)), node } as Json]), [module.name]);
  const [source, setSource] = useState("");
  const facts = loaded.value ?? [];
  const target = module.nodes.find((one) => one.node !== source);
  const begun = module.nodes.find((one) => one.node === source);
  const serves = begun?.word === "ALONE" || begun?.word === "PRIM";
  const ready = target?.word === "SECOND" && target.readiness === "Ready";
  const replaced = facts.find((one) => one["node"] === target?.node);
  return (
    <Panel title={t("firststart.title")} class="firststart">
      <p class="lead">{t("firststart.lead")}</p>
      {loaded.problem && <Notice level="warn">{loaded.problem}</Notice>}
      <fieldset class="sides">
        <legend class="sr">{t("firststart.title")}</legend>
        {module.nodes.map((node) => (
          <label key={node.node} class={`side${source === node.node ? " chosen" : ""}`}>
            <span class="side-head">
              <input type="radio" name="source" checked={source === node.node} onChange={() => setSource(node.node)} />
              <b>{t("firststart.use", { node: node.node })}</b>
              <StateChip word={node.word} readiness={node.readiness} reachable={node.reachable} small />
            </span>
            <Facts facts={facts.find((one) => one["node"] === node.node)} problem={loaded.problem} />
          </label>
        ))}
      </fieldset>
      {source && target && (
        <ol class="steps-list first-steps">
          <li class={serves ? "done" : "now"}>
            <p>{t("firststart.one", { node: source })}</p>
            <Button kind="primary" disabled={serves || session.value?.role === "Monitor"} onClick={() => ask(module.name, source, "prim")}>{t("firststart.start", { node: source })}</Button>
            {serves && <StateChip word={begun.word} readiness={begun.readiness} small />}
          </li>
          <li class={ready ? "done" : serves ? "now" : ""}>
            <p>{t("firststart.two", { node: target.node })}</p>
            {num(replaced?.["files"]) !== 0 && replaced && (
              <Notice level="warn">{t("firststart.replaced", { node: target.node, files: figures.count(num(replaced["files"]), lang.value), size: figures.size(num(replaced["bytes"]), lang.value) })}</Notice>
            )}
            <Button kind="primary" disabled={!serves || target.word === "SECOND" || session.value?.role === "Monitor"} onClick={() => ask(module.name, target.node, "second")}>{t("firststart.start", { node: target.node })}</Button>
            {target.word === "SECOND" && <StateChip word={target.word} readiness={target.readiness} small />}
          </li>
        </ol>
      )}
      {ready && <Notice level="good" role="status">{t("firststart.done")}</Notice>}
    </Panel>
  );
}

function Facts({ facts, problem }: { facts: Json | undefined; problem: string }) {
  if (!facts) return <p class="muted">{problem ? t("facts.unknown") : t("load.reading")}</p>;
  return (
    <dl class="figures">
      <div class="figure"><dt>{t("facts.size")}</dt><dd>{figures.size(num(facts["bytes"]), lang.value)}</dd></div>
      <div class="figure"><dt>{t("facts.files")}</dt><dd>{figures.count(num(facts["files"]), lang.value)}</dd></div>
      <div class="figure"><dt>{t("facts.generation")}</dt><dd class="mono">{text(facts["generation"]).slice(0, 8) || t("facts.none")}</dd></div>
      <div class="figure"><dt>{t("facts.newest")}</dt>
        <dd class="newest">
          {list(facts["newest"]).map((one) => (
            <span key={text(one["file"])}><code>{text(one["file"])}</code> <span class="muted">{figures.moment((num(one["time_us"]) ?? 0) / 1000, now.value, lang.value)}</span></span>
          ))}
          {list(facts["newest"]).length === 0 && t("facts.empty")}
        </dd>
      </div>
    </dl>
  );
}
