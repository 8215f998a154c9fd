// Protecting an application, in SafeKit's steps: module and name; nodes; directories and address;
// scripts, checkers, certificates; configure. What was typed is kept when one goes back.
import { useEffect, useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { type Json, text, texts } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import { duration } from "../model/figures.ts";
import { type Answers, nameProblem, withAnswers } from "../model/wizard.ts";
import { go, href, place, unsaved } from "../router.ts";
import { cluster, modules } from "../store.ts";
import { Button, Check, Notice, TextField } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { ask } from "./actions.tsx";
import { Notes, problemNotes, Results } from "./config.tsx";
import { DirectoryDialog } from "./directories.tsx";

const STEPS = ["module", "nodes", "data", "scripts", "configure"] as const;

const EMPTY: Answers = { template: "", name: "", directories: [""], address: "", networks: [], start: "", stop: "", services: "", processes: "", failover: true };

export function Wizard() {
  const [step, setStep] = useState(0);
  const [answers, setAnswers] = useState<Answers>({ ...EMPTY, template: place.value.query["template"] ?? "" });
  const [installed, setInstalled] = useState(false);
  const change = (part: Partial<Answers>) => {
    unsaved.value = true;
    setAnswers({ ...answers, ...part });
  };
  const next = () => setStep(step + 1);
  const shared = { answers, change, next };
  return (
    <div class="page wizard">
      <nav class="crumbs" aria-label={t("crumbs.label")}>
        <a href="#/modules">{t("nav.modules")}</a><Icon name="right" /><span aria-current="page">{t("wizard.title")}</span>
      </nav>
      <h1>{t("wizard.title")}</h1>
      <ol class="stepper" aria-label={t("wizard.steps")}>
        {STEPS.map((one, index) => (
          <li key={one} class={index < step ? "done" : index === step ? "now" : ""} aria-current={index === step ? "step" : undefined}>
            <button type="button" disabled={index >= step} onClick={() => setStep(index)}>
              <span class="dot">{index < step ? <Icon name="good" /> : index + 1}</span><span>{t(`wizard.${one}`)}</span>
            </button>
          </li>
        ))}
      </ol>
      <div class="panel step">
        {step === 0 && <ModuleStep {...shared} installed={installed} onInstalled={() => setInstalled(true)} />}
        {step === 1 && <NodesStep {...shared} />}
        {step === 2 && <DataStep {...shared} />}
        {step === 3 && <ScriptsStep {...shared} />}
        {step === 4 && <ConfigureStep {...shared} />}
      </div>
    </div>
  );
}

interface StepProps {
  answers: Answers;
  change: (part: Partial<Answers>) => void;
  next: () => void;
}

function Foot(props: { busy?: boolean; label?: string; disabled?: boolean }) {
  return <div class="config-foot"><Button kind="primary" type="submit" busy={props.busy} disabled={props.disabled}>{props.label ?? t("wizard.validate")}</Button></div>;
}

function ModuleStep(props: StepProps & { installed: boolean; onInstalled: () => void }) {
  const { answers, change } = props;
  const templates = useLoaded(api.packages.all, []);
  const [tried, setTried] = useState(false);
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  const names = [...(modules.value?.keys() ?? [])];
  const wrong = nameProblem(answers.name, props.installed ? [] : names);
  const submit = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (wrong || !answers.template) return;
    setBusy(true);
    try {
      if (!props.installed) await api.packages.install(answers.template, answers.name);
      props.onInstalled();
      props.next();
    } catch (error) {
      setSaid(error instanceof Problem ? (error.fields["name"] ?? error.sentence) : sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={submit} noValidate>
      <h2>{t("wizard.module.title")}</h2>
      {templates.problem && <Notice level="bad" role="alert">{templates.problem}</Notice>}
      <fieldset class="usual" disabled={props.installed}>
        <legend class="sr">{t("wizard.module.title")}</legend>
        {(templates.value ?? []).map((one) => {
          const name = text(one["name"]);
          return (
            <label key={name} class={`usual-card${answers.template === name ? " chosen" : ""}`}>
              <span><input type="radio" name="template" checked={answers.template === name} onChange={() => change({ template: name, name: answers.name || freeName(name, names) })} /> <b>{name}.safe</b></span>
              <span>{about(text(one["readme"])) || t("wizard.package", { kind: text(one["kind"]) })}</span>
            </label>
          );
        })}
      </fieldset>
      {tried && !answers.template && <p class="field-error" role="alert"><Icon name="bad" /> {t("wizard.template.choose")}</p>}
      <TextField label={t("wizard.name")} value={answers.name} onInput={(name) => change({ name })} help={t("wizard.name.help")} mono disabled={props.installed}
        error={tried && wrong ? t(wrong) : said || undefined} />
      <Foot busy={busy} />
    </form>
  );
}

/** The first sentence of a README that is no heading. */
function about(readme: string): string {
  return /^(?!#|\s*$)(.+)$/m.exec(readme)?.[1]?.slice(0, 160) ?? "";
}

function freeName(wanted: string, taken: string[]): string {
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? wanted : `${wanted}${n}`;
    if (!taken.includes(name)) return name;
  }
}

function NodesStep({ answers, change, next }: StepProps) {
  const seen = cluster.value;
  const nodes = seen?.nodes ?? [];
  const lans = seen?.lans ?? [];
  const chosen = answers.networks.length ? answers.networks : lans;
  const silent = nodes.filter((one) => !one.reachable);
  return (
    <form onSubmit={(event) => { event.preventDefault(); change({ networks: chosen }); next(); }}>
      <h2>{t("wizard.nodes.title")}</h2>
      <ul class="node-list">
        {nodes.map((one) => (
          <li key={one.name} class={one.reachable ? "" : "silent"}>
            <Icon name={one.reachable ? "Ready" : "NotReady"} /><b>{one.name}</b>
            <span class="muted">{one.addresses.map((address) => address.address).join(", ")}</span>
            <span>{t(one.reachable ? "wizard.node.answers" : "state.silent")}</span>
          </li>
        ))}
      </ul>
      {nodes.length < 2 && seen && <Notice level="bad">{t("wizard.nodes.two")} <a href="#/cluster">{t("empty.cluster.button")}</a></Notice>}
      {silent.length > 0 && <Notice level="warn">{t("wizard.nodes.silent", { nodes: silent.map((one) => one.name).join(", ") })}</Notice>}
      <fieldset>
        <legend>{t("wizard.networks")}</legend>
        {lans.map((name) => (
          <Check key={name} label={name} checked={chosen.includes(name)} disabled={chosen.length === 1 && chosen[0] === name}
            onChange={(on) => change({ networks: on ? [...chosen, name] : chosen.filter((other) => other !== name) })} />
        ))}
        <p class="help">{t("wizard.networks.help")}</p>
      </fieldset>
      <Foot disabled={nodes.length < 2} />
    </form>
  );
}

function DataStep({ answers, change, next }: StepProps) {
  const [browsing, setBrowsing] = useState<number | null>(null);
  const [tried, setTried] = useState(false);
  const [seen, setSeen] = useState<Json | null>(null);
  const wrong = answers.directories.map((one) => (one === "" ? t("wizard.dir.empty") : one.startsWith("/") ? "" : t("wizard.dir.absolute")));
  useEffect(() => {
    setSeen(null);
    if (!answers.address.trim()) return;
    const timer = setTimeout(() => {
      api.host.address(answers.address.trim()).then(setSeen, (error) => setSeen({ problem: sentenceOf(error) }));
    }, 500);
    return () => clearTimeout(timer);
  }, [answers.address]);
  const set = (index: number, dir: string) => change({ directories: answers.directories.map((one, at) => (at === index ? dir : one)) });
  const submit = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (wrong.every((one) => !one) && !seen?.["problem"]) next();
  };
  return (
    <form onSubmit={submit} noValidate>
      <h2>{t("wizard.data.title")}</h2>
      <p class="help">{t("wizard.data.help")}</p>
      {answers.directories.map((dir, index) => (
        <div class="directory" key={index}>
          <TextField label={t("form.directory", { n: index + 1 })} value={dir} mono placeholder="/var/lib/postgresql" onInput={(value) => set(index, value)} error={tried ? wrong[index] || undefined : undefined} />
          <Button onClick={() => setBrowsing(index)}><Icon name="folder" /> {t("wizard.browse")}</Button>
          <Button kind="quiet" label={t("form.directory.remove", { dir })} disabled={answers.directories.length === 1} onClick={() => change({ directories: answers.directories.filter((_, at) => at !== index) })}><Icon name="close" /></Button>
        </div>
      ))}
      <Button onClick={() => change({ directories: [...answers.directories, ""] })}><Icon name="plus" /> {t("form.directory.add")}</Button>
      <h3>{t("wizard.address")}</h3>
      <TextField label={t("form.vip")} value={answers.address} mono placeholder="10.0.0.50" onInput={(address) => change({ address })} help={t("wizard.address.help")} error={seen?.["problem"] ? text(seen["problem"]) : undefined} />
      <div class="said" aria-live="polite">{seen && !seen["problem"] && <AddressSeen seen={seen} />}</div>
      {browsing !== null && <DirectoryDialog start={answers.directories[browsing] ?? ""} onClose={() => setBrowsing(null)} onChosen={(dir) => { set(browsing, dir); setBrowsing(null); }} />}
      <Foot />
    </form>
  );
}

function AddressSeen({ seen }: { seen: Json }) {
  const address = texts(seen["addresses"]).join(", ");
  const network = text(seen["interface"]);
  if (seen["answers"] === true) return <Notice level="bad">{t("wizard.address.used")}</Notice>;
  if (!network) return <Notice level="warn">{t("wizard.address.foreign", { address })}</Notice>;
  return <Notice level={seen["answers"] === false ? "good" : "warn"}>{t(seen["answers"] === false ? "wizard.address.free" : "wizard.address.unknown", { address, network })}</Notice>;
}

function ScriptsStep({ answers, change, next }: StepProps) {
  const nodes = cluster.value?.nodes ?? [];
  return (
    <form onSubmit={(event) => { event.preventDefault(); next(); }}>
      <h2>{t("wizard.scripts.title")}</h2>
      <TextField label={t("wizard.services")} value={answers.services} mono placeholder="postgresql" onInput={(services) => change({ services })} help={t("wizard.services.help")} />
      <details class="teach">
        <summary>{t("wizard.scripts.own")}</summary>
        <label class="field"><span>start_prim</span><textarea class="mono" rows={6} value={answers.start} spellcheck={false} onInput={(event) => change({ start: event.currentTarget.value })} placeholder={t("wizard.scripts.keep")} /></label>
        <label class="field"><span>stop_prim</span><textarea class="mono" rows={6} value={answers.stop} spellcheck={false} onInput={(event) => change({ stop: event.currentTarget.value })} placeholder={t("wizard.scripts.keep")} /></label>
      </details>
      <h3>{t("wizard.checkers")}</h3>
      <TextField label={t("wizard.processes")} value={answers.processes} mono placeholder="postgres" onInput={(processes) => change({ processes })} help={t("wizard.processes.help")} />
      <Check label={t("wizard.failover")} checked={answers.failover} onChange={(failover) => change({ failover })} help={t("wizard.failover.help")} />
      <h3>{t("wizard.certificates")}</h3>
      <p class="help"><Icon name="lock" /> {t("wizard.certificates.help")}</p>
      <ul class="node-list">
        {nodes.map((one) => (
          <li key={one.name}><b>{one.name}</b> <span>{one.certificateMs === null ? t("cluster.cert.unknown") : t("cluster.cert.left", { duration: duration(one.certificateMs, lang.value) })}</span></li>
        ))}
      </ul>
      <Foot />
    </form>
  );
}

function ConfigureStep({ answers }: StepProps) {
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");
  const [notes, setNotes] = useState<ReturnType<typeof problemNotes>>([]);
  const [results, setResults] = useState<api.NodeResult[]>([]);
  const module = modules.value?.get(answers.name);
  const running = module?.nodes.filter((one) => one.reachable && one.configured && one.word !== "STOP" && one.word !== "UNKNOWN") ?? [];
  const run = async () => {
    setBusy(true);
    setSaid("");
    setNotes([]);
    setResults([]);
    try {
      const current = await api.config.get(answers.name);
      const xml = withAnswers(text(current["xml"]), answers);
      await api.config.save(answers.name, xml, text(current["etag"]));
      for (const [path, content] of [["bin/start_prim", answers.start], ["bin/stop_prim", answers.stop]] as const) {
        if (!content.trim()) continue;
        const file = await api.config.read(answers.name, path).catch(() => ({}) as Json);
        await api.config.write(answers.name, path, content, text(file["etag"]));
      }
      setResults(await api.config.apply(answers.name, (cluster.value?.nodes ?? []).map((one) => one.name)));
      unsaved.value = false;
    } catch (error) {
      setSaid(sentenceOf(error));
      if (error instanceof Problem && error.lines.length) setNotes(problemNotes(error));
    } finally {
      setBusy(false);
    }
  };
  const done = results.length > 0 && results.every((one) => one.ok);
  return (
    <div>
      <h2>{t("wizard.configure.title")}</h2>
      <dl class="summary">
        <dt>{t("wizard.module")}</dt><dd>{answers.name} <span class="muted">({answers.template}.safe)</span></dd>
        <dt>{t("form.directories")}</dt><dd>{answers.directories.map((one) => <code key={one}>{one}</code>)}</dd>
        <dt>{t("form.vip")}</dt><dd>{answers.address ? <code>{answers.address}</code> : t("wizard.none")}</dd>
        <dt>{t("wizard.networks")}</dt><dd>{answers.networks.join(", ")}</dd>
        <dt>{t("wizard.services")}</dt><dd>{answers.services || t("wizard.scripts.as.are")}</dd>
      </dl>
      {running.length > 0 && (
        <Notice level="warn">{t("config.runs", { nodes: running.map((one) => `${one.node} ${one.word}`).join(", ") })} <Button onClick={() => ask(answers.name, "*", "stop")}>{t("config.stop.both")}</Button></Notice>
      )}
      <div class="said" aria-live="polite">
        {busy && <p role="status">{t("wizard.configuring")}</p>}
        {said && <Notice level="bad">{said}</Notice>}
        <Notes notes={notes} />
        <Results results={results} />
      </div>
      <div class="config-foot">
        <Button kind={done ? "plain" : "primary"} busy={busy} disabled={running.length > 0} onClick={() => void run()}>{t("wizard.configure")}</Button>
        <Button kind={done ? "primary" : "plain"} disabled={!done} onClick={() => go(`${href("m", answers.name)}/first`)}>{t("wizard.next")}</Button>
      </div>
    </div>
  );
}

