// Split brain: what each side holds that the other does not, side by side; a choice; what was kept
// aside, and how to have it back. Nothing is thrown away here.
import { useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { type Json, list, num, text, texts } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import * as figures from "../model/figures.ts";
import type { ModuleView } from "../model/types.ts";
import { now, session } from "../store.ts";
import { Button, Notice, Panel, TextField } from "../ui/basics.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";

export function SplitPage({ module }: { module: ModuleView }) {
  const loaded = useLoaded(() => api.modules.split(module.name), [module.name, module.split?.since]);
  const [keep, setKeep] = useState("");
  const [asking, setAsking] = useState(false);
  const sides = list(loaded.value?.["sides"]);
  const since = num(loaded.value?.["since_us"]);
  return (
    <>
      <Panel title={t("split.title")} class="split">
        {loaded.problem && <Notice level="bad" role="alert">{loaded.problem}</Notice>}
        {loaded.value && !module.split && <Notice level="good">{t("split.none")}</Notice>}
        {module.split && (
          <>
            <p class="lead">{since ? t("split.lead.since", { time: figures.moment(since / 1000, now.value, lang.value) }) : t("split.lead")}</p>
            <fieldset class="sides">
              <legend class="sr">{t("split.title")}</legend>
              {sides.map((side) => <Side key={text(side["node"])} side={side} chosen={keep === side["node"]} onChoose={() => setKeep(text(side["node"]))} />)}
            </fieldset>
            <div class="split-foot">
              <p>{keep ? t("split.will", { keep, other: text(sides.find((one) => one["node"] !== keep)?.["node"]) }) : t("split.choose")}</p>
              <Button kind="danger" disabled={!keep || session.value?.role !== "Admin"} onClick={() => setAsking(true)}>{keep ? t("split.keep", { node: keep }) : t("split.keep.one")}</Button>
            </div>
          </>
        )}
      </Panel>
      <Aside module={module} />
      {asking && <Decide module={module} keep={keep} onClose={() => { setAsking(false); loaded.again(); }} />}
    </>
  );
}

function Side(props: { side: Json; chosen: boolean; onChoose: () => void }) {
  const { side } = props;
  const files = list(side["files"]);
  const more = num(side["files_more"]) ?? 0;
  return (
    <label class={`side${props.chosen ? " chosen" : ""}`}>
      <span class="side-head">
        <input type="radio" name="keep" checked={props.chosen} onChange={props.onChoose} />
        <b>{t("split.side", { node: text(side["node"]) })}</b>
        {side["was_primary"] === true && <span class="tag">{t("split.was.primary")}</span>}
      </span>
      <dl class="figures">
        <div class="figure"><dt>{t("split.changed")}</dt><dd>{t("split.changed.value", { files: figures.count(files.length + more, lang.value), size: figures.size(num(side["bytes"]), lang.value) })}</dd></div>
        <div class="figure"><dt>{t("split.last.write")}</dt><dd>{figures.moment((num(side["last_write_us"]) ?? 0) / 1000 || null, now.value, lang.value)}</dd></div>
        <div class="figure"><dt>{t("split.clients")}</dt><dd>{texts(side["clients"]).join(", ") || t("split.clients.none")}</dd></div>
      </dl>
      <div class="scroll tall" tabIndex={0} role="region" aria-label={t("split.files", { node: text(side["node"]) })}>
        <table>
          <thead><tr><th scope="col">{t("split.file")}</th><th scope="col" class="right">{t("split.size")}</th><th scope="col">{t("split.time")}</th></tr></thead>
          <tbody>
            {files.map((one) => (
              <tr key={text(one["file"])} class={one["both"] === true ? "both" : ""}>
                <th scope="row"><code>{text(one["file"])}</code>{one["both"] === true && <span class="tag">{t("split.both.changed")}</span>}</th>
                <td class="right">{one["deleted"] === true ? t("split.deleted") : figures.size(num(one["bytes"]), lang.value)}</td>
                <td>{figures.moment((num(one["time_us"]) ?? 0) / 1000, now.value, lang.value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {more > 0 && <p class="muted">{t("progress.more", { n: figures.count(more, lang.value) })}</p>}
    </label>
  );
}

function Decide(props: { module: ModuleView; keep: string; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  const other = props.module.nodes.find((one) => one.node !== props.keep)?.node ?? "";
  const run = async () => {
    setBusy(true);
    try {
      await api.modules.decideSplit(props.module.name, props.keep, typed);
      props.onClose();
    } catch (error) {
      setSaid(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={t("split.keep", { node: props.keep })} onClose={props.onClose}>
      <Notice level="warn">{t("split.will", { keep: props.keep, other })}</Notice>
      <TextField label={t("action.type.name", { module: props.module.name })} value={typed} onInput={setTyped} mono />
      <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
      <footer>
        <Button onClick={props.onClose}>{t("dialog.cancel")}</Button>
        <Button kind="danger" disabled={typed !== props.module.name} busy={busy} onClick={() => void run()}>{t("split.keep", { node: props.keep })}</Button>
      </footer>
    </Dialog>
  );
}

function Aside({ module }: { module: ModuleView }) {
  const loaded = useLoaded(() => api.modules.aside(module.name), [module.name]);
  const [said, setSaid] = useState<{ level: "good" | "bad"; text: string } | null>(null);
  const restore = async (item: string) => {
    try {
      await api.modules.restore(module.name, item);
      setSaid({ level: "good", text: t("aside.restored") });
      loaded.again();
    } catch (error) {
      setSaid({ level: "bad", text: sentenceOf(error) });
    }
  };
  const items = loaded.value ?? [];
  return (
    <Panel title={t("aside.title")}>
      <p class="help">{t("aside.lead")}</p>
      {loaded.problem && <Notice level="bad">{loaded.problem}</Notice>}
      {items.length === 0 ? <p class="muted">{t("aside.none")}</p> : (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("aside.title")}>
          <table>
            <thead><tr><th scope="col">{t("split.file")}</th><th scope="col">{t("details.node")}</th><th scope="col" class="right">{t("split.size")}</th><th scope="col">{t("split.time")}</th><th scope="col">{t("aside.why")}</th><th scope="col"><span class="sr">{t("aside.restore")}</span></th></tr></thead>
            <tbody>
              {items.map((one) => (
                <tr key={text(one["id"])}>
                  <th scope="row"><code>{text(one["file"])}</code></th><td>{text(one["node"])}</td><td class="right">{figures.size(num(one["bytes"]), lang.value)}</td>
                  <td>{figures.moment((num(one["time_us"]) ?? 0) / 1000, now.value, lang.value)}</td><td lang="en">{text(one["reason"])}</td>
                  <td><Button disabled={session.value?.role !== "Admin"} label={t("aside.restore.file", { file: text(one["file"]) })} onClick={() => void restore(text(one["id"]))}>{t("aside.restore")}</Button></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div class="said" aria-live="polite">{said && <Notice level={said.level}>{said.text}</Notice>}</div>
    </Panel>
  );
}
