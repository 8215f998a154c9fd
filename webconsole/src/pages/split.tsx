// Split brain: what each side changed alone, side by side; a choice. Nothing is thrown away: what is
// replaced is kept aside, and listed below (kept.tsx).
import { useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { lang, t } from "../i18n/index.ts";
import { tell } from "../i18n/said.ts";
import type { SplitSide, SplitView } from "../model/data.ts";
import * as figures from "../model/figures.ts";
import type { ModuleView } from "../model/types.ts";
import { now, session } from "../store.ts";
import { Button, Notice, Panel, StateChip, TextField } from "../ui/basics.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { type Shown, Words } from "../ui/words.tsx";
import { KeptPanel } from "./kept.tsx";

const SHOWN_MAX = 500;

export function SplitPage({ module }: { module: ModuleView }) {
  const states = module.nodes.map((one) => one.word + one.readiness).join();
  const loaded = useLoaded(() => api.modules.split(module.name), [module.name, states]);
  const [keep, setKeep] = useState("");
  const [asking, setAsking] = useState(false);
  const found = loaded.value;
  // What is live counts: the lists may be those of a moment ago.
  const split = module.split !== null;
  const other = module.nodes.find((one) => one.node !== keep)?.node ?? "";
  return (
    <>
      <Panel title={t(split ? "split.title" : "split.title.agree")} class="split">
        {loaded.problem && (split || !found) && <Notice level="bad" role="alert">{loaded.problem}</Notice>}
        {!found && !loaded.problem && <p class="muted" role="status">{t("load.reading")}</p>}
        {found && !split && <Notice level="good">{t("split.none")}</Notice>}
        {found && split && (
          <>
            <p class="lead">{found.since ? t("split.lead.since", { time: figures.moment(found.since, now.value, lang.value) }) : t("split.lead")}</p>
            {found.both.length > 0 && <Notice level="warn">{t("split.both", { n: figures.count(found.both.length, lang.value) })}</Notice>}
            <fieldset class="sides">
              <legend class="sr">{t("split.title")}</legend>
              {found.sides.map((side) => <Side key={side.node} side={side} found={found} chosen={keep === side.node} onChoose={() => setKeep(side.node)} />)}
            </fieldset>
            {found.verdict && <p class="help">{t("split.verdict", { node: found.verdict.source })} <code title={`${t("q.row")}: ${tell(found.verdict.why).text}`}>{found.verdict.row}</code></p>}
            <div class="split-foot">
              <p>{keep ? t("split.will", { keep, other }) : t("split.choose")}</p>
              <Button kind="danger" disabled={!keep || session.value?.role !== "Admin"} onClick={() => setAsking(true)}>{keep ? t("split.keep", { node: keep }) : t("split.keep.one")}</Button>
            </div>
          </>
        )}
      </Panel>
      <KeptPanel module={module} states={states} />
      {asking && <Decide module={module} keep={keep} other={other} onClose={() => { setAsking(false); loaded.again(); }} />}
    </>
  );
}

function Side(props: { side: SplitSide; found: SplitView; chosen: boolean; onChoose: () => void }) {
  const { side, found } = props;
  const bytes = side.files.reduce((sum, one) => sum + one.bytes, 0);
  const newest = side.files.reduce<number | null>((last, one) => (one.at !== null && (last === null || one.at > last) ? one.at : last), null);
  const changed = t("split.changed.value", { files: figures.count(side.files.length, lang.value), size: figures.size(bytes, lang.value) });
  return (
    <label class={`side${props.chosen ? " chosen" : ""}`}>
      <span class="side-head">
        <input type="radio" name="keep" checked={props.chosen} onChange={props.onChoose} />
        <b>{t("split.side", { node: side.node })}</b>
        <StateChip word={side.word} readiness={side.readiness} reachable={side.reachable} small />
        {side.wasPrimary && <span class="tag">{t("split.was.primary")}</span>}
      </span>
      {side.observed.text && <Notice level="warn"><Words of={side.observed} /></Notice>}
      <dl class="figures">
        <div class="figure"><dt>{t("split.changed")}</dt><dd>{side.complete ? changed : t("facts.more.than", { size: changed })}</dd></div>
        <div class="figure"><dt>{t("split.last.write")}</dt><dd>{figures.moment(newest, now.value, lang.value)}</dd></div>
        <div class="figure"><dt>{t("split.alone.since")}</dt><dd>{figures.moment(side.since, now.value, lang.value)}</dd></div>
      </dl>
      <div class="scroll tall" tabIndex={0} role="region" aria-label={t("split.files", { node: side.node })}>
        <table>
          <thead><tr><th scope="col">{t("split.file")}</th><th scope="col" class="right">{t("split.size")}</th><th scope="col">{t("split.time")}</th></tr></thead>
          <tbody>
            {side.files.slice(0, SHOWN_MAX).map((one) => {
              const both = found.both.includes(one.path);
              return (
                <tr key={one.path} class={both ? "both" : ""}>
                  <th scope="row"><code>{one.path}</code>{both && <span class="tag">{t("split.both.changed")}</span>}</th>
                  <td class="right">{one.exists ? figures.size(one.bytes, lang.value) : t("split.deleted")}</td>
                  <td>{figures.moment(one.at, now.value, lang.value)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {side.files.length > SHOWN_MAX && <p class="muted">{t("progress.more", { n: figures.count(side.files.length - SHOWN_MAX, lang.value) })}</p>}
    </label>
  );
}

function Decide(props: { module: ModuleView; keep: string; other: string; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [said, setSaid] = useState<Shown>("");
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      await api.command(props.module, props.keep, "prim", [], typed);
      props.onClose();
    } catch (error) {
      setSaid(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={t("split.keep", { node: props.keep })} onClose={props.onClose}>
      <Notice level="warn">{t("split.will", { keep: props.keep, other: props.other })}</Notice>
      <TextField label={t("action.type.name", { module: props.module.name })} value={typed} onInput={setTyped} mono />
      <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
      <footer>
        <Button onClick={props.onClose}>{t("dialog.cancel")}</Button>
        <Button kind="danger" disabled={typed !== props.module.name} busy={busy} onClick={() => void run()}>{t("split.keep", { node: props.keep })}</Button>
      </footer>
    </Dialog>
  );
}
