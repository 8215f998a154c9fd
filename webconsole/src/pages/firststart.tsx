// First start, and every start that a person must decide: which node has the good data. The facts
// of both stand side by side, so that the copy goes the right way; what a choice would replace is
// counted before.
import { useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { lang, t } from "../i18n/index.ts";
import { tell } from "../i18n/said.ts";
import type { ChoiceOfSource, Side, StartFacts } from "../model/data.ts";
import * as figures from "../model/figures.ts";
import { server } from "../model/safety.ts";
import type { ModuleView } from "../model/types.ts";
import { now, session } from "../store.ts";
import { Button, Notice, Panel, StateChip } from "../ui/basics.tsx";
import { useLoaded } from "../ui/load.ts";
import { Words } from "../ui/words.tsx";
import { ask } from "./actions.tsx";

export function FirstStart({ module }: { module: ModuleView }) {
  const states = module.nodes.map((one) => one.word + one.readiness + one.reachable).join();
  const loaded = useLoaded(() => api.modules.startFacts(module.name), [module.name, states]);
  const [chosen, setSource] = useState("");
  // Once a node serves nothing is to be chosen any more: the other one takes its data.
  const serving = server(module)?.node ?? "";
  const source = serving || chosen;
  const facts = loaded.value;
  const target = module.nodes.find((one) => one.node !== source);
  const begun = module.nodes.find((one) => one.node === source);
  const serves = begun?.word === "ALONE" || begun?.word === "PRIM";
  const ready = serves && target?.word === "SECOND" && target.readiness === "Ready";
  const choice = facts?.choices.find((one) => one.source === source);
  const may = session.value?.role !== "Monitor";
  return (
    <Panel title={t("firststart.title")} class="firststart">
      {!serves && <p class="lead">{t("firststart.lead")}</p>}
      {loaded.problem && <Notice level="warn">{loaded.problem}</Notice>}
      {facts && !serves && <Advice facts={facts} />}
      {serves && !ready && <Notice level="none">{t("firststart.serves", { node: source })}</Notice>}
      <fieldset class="sides">
        <legend class="sr">{t("firststart.title")}</legend>
        {module.nodes.map((node) => (
          <label key={node.node} class={`side${source === node.node ? " chosen" : ""}`}>
            <span class="side-head">
              <input type="radio" name="source" checked={source === node.node} disabled={serving !== ""} onChange={() => setSource(node.node)} />
              <b>{t("firststart.use", { node: node.node })}</b>
              <StateChip word={node.word} readiness={node.readiness} reachable={node.reachable} small />
            </span>
            <Facts side={facts?.sides.find((one) => one.node === node.node)} />
          </label>
        ))}
      </fieldset>
      {source && target && (
        <ol class="steps-list first-steps">
          <li class={serves ? "done" : "now"}>
            <p>{t("firststart.one", { node: source })}</p>
            {serves ? <StateChip word={begun.word} readiness={begun.readiness} small /> : (
              <Button kind="primary" disabled={!may} onClick={() => ask(module.name, source, "prim")}>{t("firststart.start", { node: source })}</Button>
            )}
          </li>
          <li class={ready ? "done" : serves ? "now" : ""}>
            <p>{t("firststart.two", { node: target.node })}</p>
            {choice && !serves && <Replaced choice={choice} />}
            {target.word === "SECOND" ? <StateChip word={target.word} readiness={target.readiness} small /> : (
              <Button kind="primary" disabled={!serves || !may} onClick={() => ask(module.name, target.node, "second")}>{t("firststart.start", { node: target.node })}</Button>
            )}
          </li>
        </ol>
      )}
      {ready && <Notice level="good" role="status">{t("firststart.done")} <a href={`#/m/${encodeURIComponent(module.name)}`}>{t("tab.overview")}</a></Notice>}
    </Panel>
  );
}

/** What the table of generations would decide by itself, if it can. */
function Advice({ facts }: { facts: StartFacts }) {
  return (
    <Notice level={facts.needed ? "warn" : "none"}>
      <Words of={facts.advice} />
      {facts.verdict && <span class="reason"><code title={`${t("q.row")}: ${tell(facts.verdict.why).text}`}>{facts.verdict.row}</code></span>}
    </Notice>
  );
}

/** Counted before: what would be replaced on the target, and that it is kept aside. */
function Replaced({ choice }: { choice: ChoiceOfSource }) {
  const lost = choice.differentFiles + choice.onlyTargetFiles;
  const n = (count: number) => figures.count(count, lang.value);
  const size = (bytes: number) => figures.size(bytes, lang.value);
  if (!lost) return <Notice level="good">{t("firststart.nothing.replaced", { node: choice.target, files: n(choice.onlySourceFiles), size: size(choice.onlySourceBytes) })}</Notice>;
  return (
    <Notice level="warn">
      {t("firststart.replaced", { node: choice.target, different: n(choice.differentFiles), only: n(choice.onlyTargetFiles), size: size(choice.differentBytes + choice.onlyTargetBytes) })}
      {!choice.complete && ` ${t("facts.at.least")}`}
      <ul class="pending">
        {choice.examples.map((one) => (
          <li key={one.path}><code>{one.path}</code><span>{t(one.onlyThere ? "facts.only.there" : "facts.different")} · {size(one.bytes)} · {figures.moment(one.at, now.value, lang.value)}</span></li>
        ))}
      </ul>
    </Notice>
  );
}

export function Facts({ side }: { side: Side | undefined }) {
  if (!side) return <p class="muted">{t("load.reading")}</p>;
  if (!side.reachable) return <Notice level="warn"><Words of={side.observed} /></Notice>;
  const record = side.record;
  const size = `${figures.size(side.bytes, lang.value)} · ${t("facts.n.files", { n: figures.count(side.files, lang.value) })}`;
  return (
    <dl class="figures">
      <div class="figure"><dt>{t("facts.size")}</dt><dd>{side.empty ? t("facts.empty") : side.complete ? size : t("facts.more.than", { size })}</dd></div>
      <div class="figure"><dt>{t("facts.generation")}</dt><dd>{record && !record.blank ? <code>{record.generation.slice(0, 8)}</code> : t("facts.never")}</dd></div>
      {record && !record.blank && (
        <>
          <div class="figure"><dt>{t("facts.last.role")}</dt><dd>{t(record.inconsistent ? "facts.inconsistent" : record.livedOn ? "facts.lived.on" : record.wasPrimary ? "facts.was.primary" : "facts.was.second")}</dd></div>
          <div class="figure"><dt>{t("facts.recorded")}</dt><dd>{figures.moment(record.at, now.value, lang.value)}</dd></div>
        </>
      )}
      <div class="figure"><dt>{t("facts.newest")}</dt>
        <dd class="newest">
          {side.newest.map((one) => <span key={one.path}><code>{one.path}</code> <span class="muted">{figures.moment(one.at, now.value, lang.value)}</span></span>)}
          {side.newest.length === 0 && figures.NO_FIGURE}
        </dd>
      </div>
      {side.errors.map((one, index) => <div class="figure" key={index}><dt /><dd class="field-error"><Words of={one} /></dd></div>)}
    </dl>
  );
}
