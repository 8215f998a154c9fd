// userconfig.xml: form and text side by side, checked as one types, applied on both nodes.
import { useEffect, useRef, useState } from "preact/hooks";
import { note, Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { text } from "../api/json.ts";
import { type Key, lang, t, word } from "../i18n/index.ts";
import { moment } from "../model/figures.ts";
import type { ModuleView } from "../model/types.ts";
import { unsaved } from "../router.ts";
import { now, session } from "../store.ts";
import { Button, Notice, Panel } from "../ui/basics.tsx";
import { Editor, type LineNote } from "../ui/editor.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { save } from "../ui/save.ts";
import { live, type Shown, Words } from "../ui/words.tsx";
import { ask } from "./actions.tsx";
import { Form } from "./form.tsx";

const CHECK_AFTER_MS = 350;

export function ConfigPage({ module }: { module: ModuleView }) {
  const loaded = useLoaded(() => api.config.get(module.name), [module.name]);
  const [xml, setXml] = useState<string | null>(null);
  const [comparing, setComparing] = useState(false);
  const [said, setSaid] = useState<{ level: "good" | "bad"; text: Shown } | null>(null);
  const [results, setResults] = useState<api.NodeResult[]>([]);
  const [busy, setBusy] = useState("");
  const [checked, setChecked] = useState(false);
  const etag = useRef("");
  useEffect(() => {
    if (!loaded.value || xml !== null) return;
    setXml(text(loaded.value["xml"]));
    etag.current = text(loaded.value["etag"]);
  }, [loaded.value]);
  const notes = useNotes(xml);
  if (loaded.problem) return <Notice level="bad" role="alert">{loaded.problem}</Notice>;
  if (xml === null || !loaded.value) return <p class="muted" role="status">{t("load.reading")}</p>;
  const admin = session.value?.role === "Admin";
  const change = (next: string) => {
    setXml(next);
    unsaved.value = true;
  };
  const act = async (what: "check" | "apply") => {
    setBusy(what);
    setChecked(what === "check");
    setSaid(null);
    setResults([]);
    try {
      const kept = await api.config.save(module.name, xml, etag.current);
      etag.current = text(kept["etag"], etag.current);
      unsaved.value = false;
      const found = await api.config[what](module.name, module.nodes.map((one) => one.node));
      setResults(found);
      const good = found.every((one) => one.ok);
      setSaid({ level: good ? "good" : "bad", text: live(() => t(good ? (what === "apply" ? "config.applied" : "config.valid") : "config.refused")) });
      loaded.again();
    } catch (error) {
      setSaid({ level: "bad", text: sentenceOf(error) });
    } finally {
      setBusy("");
    }
  };
  const running = module.nodes.filter((one) => one.reachable && one.configured && !["STOP", "UNKNOWN"].includes(one.word));
  const never = loaded.value["applied"] === null;
  const differs = loaded.value["differs"] === true || unsaved.value;
  const wrong = notes.some((one) => one.level === "error");
  return (
    <>
      <Panel title="userconfig.xml" class="config" tools={
        <>
          <span class={`mark ${differs ? "differs" : ""}`} role="status">{t(never ? "config.never" : differs ? "config.differs" : "config.same")}</span>
          <Button onClick={() => setComparing(!comparing)} disabled={never}>{t(comparing ? "config.edit" : "config.compare")}</Button>
        </>
      }>
        {comparing ? <Comparison module={module} /> : (
          <div class="config-sides">
            <Form xml={xml} onChange={admin ? change : () => undefined} />
            <div class="config-text">
              <Editor label="userconfig.xml" value={xml} language="xml" notes={notes} onInput={change} readOnly={!admin} />
              <Notes notes={notes} />
            </div>
          </div>
        )}
        {running.length > 0 && (
          <Notice level="warn">
            {t("config.runs", { nodes: running.map((one) => `${one.node} ${one.word}`).join(", ") })}{" "}
            <Button onClick={() => ask(module.name, "*", "stop")}>{t("config.stop.both")}</Button>
          </Notice>
        )}
        <div class="config-foot">
          <Button onClick={() => void act("check")} busy={busy === "check"} disabled={!admin}>{t("config.save.check")}</Button>
          <Button kind="primary" onClick={() => void act("apply")} busy={busy === "apply"} disabled={!admin || running.length > 0 || wrong}>{t("config.save.apply")}</Button>
        </div>
        <div class="said" aria-live="polite">
          {said && <Notice level={said.level}>{said.text}</Notice>}
          <Results results={results} good={checked ? "config.result.valid" : "config.result.ok"} />
        </div>
      </Panel>
      <Keep module={module} onRestored={() => { setXml(null); loaded.again(); }} />
    </>
  );
}

/** Checked by the server after a pause in the typing: the same rules as when it is applied. */
export function useNotes(xml: string | null): LineNote[] {
  const [notes, setNotes] = useState<LineNote[]>([]);
  useEffect(() => {
    if (xml === null) return;
    let wanted = true;
    const timer = setTimeout(() => {
      api.config.checkAsTyped(xml).then(
        (found) => wanted && setNotes([...found.errors, ...found.notices]),
        (error) => wanted && setNotes(error instanceof Problem ? problemNotes(error) : []),
      );
    }, CHECK_AFTER_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [xml]);
  return notes;
}

/** What is saved against what is in force, file by file. */
function Comparison({ module }: { module: ModuleView }) {
  const loaded = useLoaded(() => api.config.differences(module.name), [module.name]);
  if (loaded.problem) return <Notice level="bad">{loaded.problem}</Notice>;
  if (loaded.value?.length === 0) return <p class="muted">{t("config.no.difference")}</p>;
  return (
    <div class="comparison">
      {(loaded.value ?? []).map((one) => (
        <section key={text(one["path"])}>
          <h3><code>{text(one["path"])}</code> <span class="tag">{word("change", text(one["change"]))}</span></h3>
          <pre class="diff" tabIndex={0}>
            {text(one["diff"]).split("\n").slice(2).map((line, index) => <span key={index} class={DIFF[line[0] ?? ""] ?? ""}>{line}{"\n"}</span>)}
          </pre>
        </section>
      ))}
    </div>
  );
}

const DIFF: Record<string, string> = { "+": "add", "-": "remove", "@": "at" };

export function problemNotes(problem: Problem): LineNote[] {
  return problem.lines.length ? problem.lines : [note(1, problem.said, "error")];
}

export function Notes({ notes }: { notes: LineNote[] }) {
  if (!notes.length) return null;
  return (
    <ul class="notes" aria-live="polite">
      {notes.map((one, index) => (
        <li key={index} class={one.level}>
          <b>{one.at ?? t(one.level === "error" ? "config.error.line" : "config.note.line", { line: one.line })}</b> <span lang={one.lang}>{one.text}</span>
        </li>
      ))}
    </ul>
  );
}

export function Results({ results, good = "config.result.ok" }: { results: api.NodeResult[]; good?: Key }) {
  if (!results.length) return null;
  return (
    <ul class="results">
      {results.map((one) => (
        <li key={one.node}><Notice level={one.ok ? "good" : "bad"}><b>{one.node}</b> {one.ok ? t(good) : <Words of={one.sentence} />}<Notes notes={one.errors} /></Notice></li>
      ))}
    </ul>
  );
}

/** The last three configurations, and the module as a file. */
function Keep(props: { module: ModuleView; onRestored: () => void }) {
  const { module } = props;
  const saved = useLoaded(() => api.config.kept(module.name), [module.name]);
  const [said, setSaid] = useState<Shown>("");
  const attempt = async (work: () => Promise<unknown>) => {
    setSaid("");
    try {
      await work();
    } catch (error) {
      setSaid(sentenceOf(error));
    }
  };
  const admin = session.value?.role === "Admin";
  return (
    <Panel title={t("keep.title")}>
      <div class="keep">
        <div>
          <h3>{t("keep.last")}</h3>
          {saved.value?.length === 0 && <p class="muted">{t("keep.none")}</p>}
          <ul class="saved">
            {(saved.value ?? []).map((one) => (
              <li key={one.name}>
                <span>{moment(one.at, now.value, lang.value)}</span> <code class="muted">{one.name}</code>
                <Button disabled={!admin} onClick={() => void attempt(async () => { await api.config.restore(module.name, one.name); props.onRestored(); })}>{t("keep.restore")}</Button>
              </li>
            ))}
          </ul>
        </div>
        <div>
          <h3>{t("keep.package", { module: module.name })}</h3>
          <p class="help">{t("keep.package.help")}</p>
          <div class="tools">
            <Button onClick={() => void attempt(async () => save(await api.config.download(module.name), `${module.name}.safe`))}>{t("keep.download")}</Button>
            <label class={`button plain${admin ? "" : " disabled"}`}>
              {t("keep.upload")}
              <input class="sr" type="file" accept=".safe" disabled={!admin} onChange={(event) => {
                const file = event.currentTarget.files?.[0];
                if (file) void attempt(async () => { await api.config.upload(module.name, file, true); props.onRestored(); });
                event.currentTarget.value = "";
              }} />
            </label>
          </div>
        </div>
      </div>
      <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
    </Panel>
  );
}
