// The wizard's last steps: scripts, checkers, encryption; then everything at a glance, the text of
// userconfig.xml if wished, and Configure, with the result of each node.
import { useEffect, useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { type Json, text } from "../api/json.ts";
import { t } from "../i18n/index.ts";
import { processesProblem, servicesProblem, startsNothing, withAnswers } from "../model/wizard.ts";
import { go, href, unsaved } from "../router.ts";
import { cluster, modules, session } from "../store.ts";
import { Button, Check, Notice, TextField } from "../ui/basics.tsx";
import { Editor, type LineNote } from "../ui/editor.tsx";
import { Icon } from "../ui/icons.tsx";
import { certificateSaid } from "./cluster.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { ask } from "./actions.tsx";
import { Notes, problemNotes, Results, useNotes } from "./config.tsx";
import { Foot, OWN, type StepProps } from "./wizard.tsx";
import type { Shown } from "../ui/words.tsx";

const SCRIPTS = ["start_prim", "stop_prim"] as const;

export function ScriptsStep({ answers, change, next, scripts, onScripts }: StepProps) {
  const nodes = cluster.value?.nodes ?? [];
  const [tried, setTried] = useState(false);
  const wrong = { services: servicesProblem(answers.services), processes: processesProblem(answers.processes) };
  const error = (field: keyof typeof wrong) => (tried && wrong[field] ? t(wrong[field].key, wrong[field].values) : undefined);
  const submit = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (!wrong.services && !wrong.processes) next();
  };
  return (
    <form onSubmit={submit} noValidate>
      <h2 tabIndex={-1}>{t("wizard.scripts.title")}</h2>
      <TextField label={t("wizard.services")} value={answers.services} mono placeholder="postgresql" onInput={(services) => change({ services })} help={t("wizard.services.help")} error={error("services")} />
      <details class="teach">
        <summary>{t("wizard.scripts.own")}</summary>
        {SCRIPTS.map((one) => <Script key={one} module={answers.name} name={one} typed={scripts[one]} onInput={(content) => { unsaved.value = true; onScripts({ ...scripts, [one]: content }); }} />)}
      </details>
      <h3>{t("wizard.checkers")}</h3>
      <TextField label={t("wizard.processes")} value={answers.processes} mono placeholder="postgres" onInput={(processes) => change({ processes })} help={t(answers.light ? "wizard.processes.light" : "wizard.processes.help")} error={error("processes")} />
      {!answers.light && (
        <>
          <Check label={t("wizard.failover")} checked={answers.failover} onChange={(failover) => change({ failover })} help={t("wizard.failover.help")} />
          <h3>{t("wizard.certificates")}</h3>
          <p class="help"><Icon name="lock" /> {t("wizard.certificates.help")}</p>
          <ul class="node-list">
            {nodes.map((one) => (
              <li key={one.name}><b>{one.name}</b> <span>{t("wizard.certificates.of", { valid: certificateSaid(one.certificateMs) })}</span></li>
            ))}
          </ul>
        </>
      )}
      <Foot />
    </form>
  );
}

/** A script, as the template has it until it is typed over. */
function Script(props: { module: string; name: string; typed: string | undefined; onInput: (content: string) => void }) {
  const loaded = useLoaded(() => api.config.read(props.module, `bin/${props.name}`).catch(() => ({}) as Json), [props.module, props.name]);
  if (!loaded.value) return null;
  return (
    <div class="field script">
      <span>{props.name}</span>
      <Editor label={props.name} language="shell" value={props.typed ?? text(loaded.value["content"])} onInput={props.onInput} />
    </div>
  );
}

/** Save what was answered, on this node; both nodes get it when it is configured. */
async function keep(module: string, xml: string, etag: string, scripts: Record<string, string>): Promise<void> {
  await api.config.save(module, xml, etag);
  for (const [name, content] of Object.entries(scripts)) {
    const file = await api.config.read(module, `bin/${name}`).catch(() => ({}) as Json);
    await api.config.write(module, `bin/${name}`, content, text(file["etag"]));
  }
}

export function ConfigureStep({ answers, scripts }: StepProps) {
  const loaded = useLoaded(() => api.config.get(answers.name), [answers.name]);
  const [typed, setTyped] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<Shown>("");
  const [refused, setRefused] = useState<LineNote[]>([]);
  const [results, setResults] = useState<api.NodeResult[]>([]);
  const own = session.value?.node ?? "";
  const nodes = answers.light ? [own] : (cluster.value?.nodes ?? []).filter((one) => one.reachable).map((one) => one.name);
  const xml = typed ?? (loaded.value ? withAnswers(text(loaded.value["xml"]), answers) : "");
  const notes = useNotes(xml || null);
  useEffect(() => setRefused([]), [xml]);
  const module = modules.value?.get(answers.name);
  const running = module?.nodes.filter((one) => one.reachable && one.configured && one.word !== "STOP" && one.word !== "UNKNOWN") ?? [];
  const wrong = notes.some((one) => one.level === "error");
  const run = async () => {
    setBusy(true);
    setSaid("");
    setRefused([]);
    setResults([]);
    try {
      const now = await api.config.get(answers.name);
      await keep(answers.name, xml, text(now["etag"]), scripts);
      setTyped(xml);
      setResults(await api.config.apply(answers.name, nodes));
      unsaved.value = false;
    } catch (error) {
      setSaid(sentenceOf(error));
      if (error instanceof Problem && error.lines.length) setRefused(problemNotes(error));
    } finally {
      setBusy(false);
    }
  };
  const done = results.length > 0 && results.every((one) => one.ok);
  return (
    <div>
      <h2 tabIndex={-1}>{answers.light ? t("wizard.configure.light", { node: own }) : t("wizard.configure.title")}</h2>
      <dl class="summary">
        <dt>{t("wizard.module")}</dt><dd>{answers.name}</dd>
        {!answers.light && (
          <>
            <dt>{t("form.directories")}</dt><dd>{answers.directories.map((one) => <code key={one}>{one}</code>)}</dd>
            <dt>{t("form.vip")}</dt><dd>{answers.address ? <code>{answers.address}</code> : t("wizard.none")}</dd>
            <dt>{t("wizard.networks")}</dt><dd>{answers.networks.join(", ")}</dd>
          </>
        )}
        <dt>{t("wizard.starts")}</dt><dd>{[answers.services, Object.keys(scripts).length > 0 && t("wizard.scripts.own")].filter(Boolean).join(", ") || t("wizard.scripts.as.are")}</dd>
        <dt>{t("wizard.processes")}</dt><dd>{answers.processes || t("wizard.processes.none")}</dd>
        {!answers.light && <><dt>{t("wizard.failover")}</dt><dd>{t(answers.failover ? "boot.on" : "boot.off")}</dd></>}
      </dl>
      <details class="teach" open={wrong}>
        <summary>{t("wizard.text")}</summary>
        <Editor label="userconfig.xml" language="xml" value={xml} notes={notes} onInput={(next) => { unsaved.value = true; setTyped(next); }} />
        <Notes notes={notes} />
      </details>
      {loaded.value && answers.template !== OWN && !("start_prim" in scripts) && startsNothing(xml) && <Notice level="warn">{t("wizard.starts.nothing")}</Notice>}
      {running.length > 0 && (
        <Notice level="warn">{t("config.runs", { nodes: running.map((one) => `${one.node} ${one.word}`).join(", ") })} <Button onClick={() => ask(answers.name, "*", "stop")}>{t("config.stop.both")}</Button></Notice>
      )}
      <div class="said" aria-live="polite">
        {busy && !answers.light && <p role="status">{t("wizard.configuring")}</p>}
        {said && <Notice level="bad">{said}</Notice>}
        <Notes notes={refused} />
        <Results results={results} />
        {done && <Notice level="good">{t(answers.light ? "wizard.done.light" : "wizard.done")}</Notice>}
      </div>
      <div class="config-foot">
        <Button kind={done ? "plain" : "primary"} busy={busy} disabled={running.length > 0 || wrong || !xml} onClick={() => void run()}>{t("wizard.configure")}</Button>
        <Button kind={done ? "primary" : "plain"} disabled={!done} onClick={() => go(answers.light ? href("m", answers.name) : `${href("m", answers.name)}/first`)}>{t(answers.light ? "wizard.next.light" : "wizard.next")}</Button>
      </div>
    </div>
  );
}
