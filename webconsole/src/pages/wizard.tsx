// A new module in SafeKit's steps: which, on which nodes, data and address, scripts, configure.
// This file: the steps themselves, the first and the second.
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { text } from "../api/json.ts";
import { maybe, t } from "../i18n/index.ts";
import { type Answers, answersOf, nameProblem } from "../model/wizard.ts";
import { place, unsaved } from "../router.ts";
import { cluster, modules } from "../store.ts";
import { Button, Check, Notice, TextField } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { ConfigureStep, ScriptsStep } from "./wizardend.tsx";
import { DataStep } from "./wizarddata.tsx";
import { live, type Shown, shown } from "../ui/words.tsx";

const STEPS = ["module", "nodes", "data", "scripts", "configure"] as const;

/** A light module is of one node, and replicates nothing. */
const LIGHT_STEPS: readonly (typeof STEPS)[number][] = ["module", "scripts", "configure"];

const EMPTY: Answers = { light: false, template: "", name: "", directories: [""], address: "", networks: [], services: "", processes: "", failover: true };
/** Stands for a .safe file of the reader's, where a template's name stands else. */
export const OWN = ".safe";

/** Scripts as they are typed; one that is not here stays as the template has it. */
export type Scripts = Record<string, string>;

export interface StepProps {
  answers: Answers;
  change: (part: Partial<Answers>) => void;
  next: () => void;
  scripts: Scripts;
  onScripts: (scripts: Scripts) => void;
}

export function Wizard() {
  const [step, setStep] = useState(0);
  const [answers, setAnswers] = useState<Answers>({ ...EMPTY, template: place.value.query["template"] ?? "" });
  const [scripts, setScripts] = useState<Scripts>({});
  const [installed, setInstalled] = useState(false);
  const change = (part: Partial<Answers>) => {
    unsaved.value = true;
    setAnswers((before) => ({ ...before, ...part }));
  };
  const panel = useRef<HTMLDivElement>(null);
  const shown = useRef(step);
  useEffect(() => {
    // Whoever uses the keyboard or a screen reader goes on where the page does.
    if (shown.current !== step) panel.current?.querySelector("h2")?.focus();
    shown.current = step;
  }, [step]);
  /** After a refusal one is at the field that it is about. */
  const toWrong = () => setTimeout(() => panel.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
  const steps = answers.light ? LIGHT_STEPS : STEPS;
  const now = steps[step];
  const shared: StepProps = { answers, change, next: () => setStep(step + 1), scripts, onScripts: setScripts };
  return (
    <div class="page wizard">
      <nav class="crumbs" aria-label={t("crumbs.label")}>
        <a href="#/modules">{t("nav.modules")}</a><Icon name="right" /><span aria-current="page">{t("wizard.title")}</span>
      </nav>
      <h1>{t("wizard.title")}</h1>
      <ol class="stepper" aria-label={t("wizard.steps")}>
        {steps.map((one, index) => (
          <li key={one} class={index < step ? "done" : index === step ? "now" : ""} aria-current={index === step ? "step" : undefined}>
            <button type="button" disabled={index >= step} onClick={() => setStep(index)}>
              <span class="dot">{index < step ? <Icon name="good" /> : index + 1}</span><span>{t(`wizard.${one}`)}</span>
            </button>
          </li>
        ))}
      </ol>
      <div class="panel step" ref={panel} onSubmit={toWrong}>
        {now === "module" && <ModuleStep {...shared} installed={installed} onInstalled={() => setInstalled(true)} />}
        {now === "nodes" && <NodesStep {...shared} />}
        {now === "data" && <DataStep {...shared} />}
        {now === "scripts" && <ScriptsStep {...shared} />}
        {now === "configure" && <ConfigureStep {...shared} />}
      </div>
    </div>
  );
}

export function Foot(props: { busy?: boolean; disabled?: boolean }) {
  return <div class="config-foot"><Button kind="primary" type="submit" busy={props.busy} disabled={props.disabled}>{t("wizard.validate")}</Button></div>;
}

function ModuleStep(props: StepProps & { installed: boolean; onInstalled: () => void }) {
  const { answers, change } = props;
  const templates = useLoaded(api.packages.all, []);
  const [file, setFile] = useState<File | null>(null);
  const [tried, setTried] = useState(false);
  /** What the server refused, and whether it is about the name; else it is about the file, or the template. */
  const [said, setSaid] = useState<{ text: Shown; name: boolean } | null>(null);
  const [busy, setBusy] = useState(false);
  const names = [...(modules.value?.keys() ?? [])];
  const wrong = nameProblem(answers.name, props.installed ? [] : names);
  const unchosen = answers.template === "" || (answers.template === OWN && !file && !props.installed);
  const submit = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (wrong || unchosen) return;
    setBusy(true);
    setSaid(null);
    try {
      if (!props.installed) {
        if (file) await api.config.upload(answers.name, file, false);
        else await api.packages.install(answers.template, answers.name);
        change(answersOf(text((await api.config.get(answers.name))["xml"])));
      }
      props.onInstalled();
      props.next();
    } catch (error) {
      const field = error instanceof Problem ? error.fields["module"] : undefined;
      setSaid(field ? { text: live(() => shown(field)), name: true } : { text: sentenceOf(error), name: false });
    } finally {
      setBusy(false);
    }
  };
  const choose = (template: string, name: string) => change({ template, name: answers.name || freeName(name, names) });
  const card = (template: string, title: string, lead: Shown) => (
    <label key={template} class={`usual-card${answers.template === template ? " chosen" : ""}`}>
      <span><input type="radio" name="template" checked={answers.template === template} aria-invalid={tried && answers.template === ""} onChange={() => choose(template, template === OWN ? "" : template)} /> <b>{title}</b></span>
      <span>{lead}</span>
    </label>
  );
  return (
    <form onSubmit={submit} noValidate>
      <h2 tabIndex={-1}>{t("wizard.module.title")}</h2>
      {templates.problem && <Notice level="bad" role="alert">{templates.problem}</Notice>}
      <fieldset class="usual" disabled={props.installed}>
        <legend class="sr">{t("wizard.module.title")}</legend>
        {(templates.value ?? []).map((one) => card(text(one["name"]), `${text(one["name"])}.safe`, maybe(`template.${text(one["name"])}`) || <span lang="en">{about(text(one["readme"]))}</span>))}
        {card(OWN, t("usual.package"), t("usual.package.about"))}
      </fieldset>
      {answers.template === OWN && !props.installed && (
        <label class="field"><span>{t("wizard.file")}</span>
          <input type="file" accept=".safe,.zip" aria-invalid={(tried && !file) || (said !== null && !said.name)} onChange={(event) => {
            setSaid(null);
            const chosen = event.currentTarget.files?.[0] ?? null;
            setFile(chosen);
            if (chosen && !answers.name) change({ name: freeName(chosen.name.replace(/\.\w+$/, ""), names) });
          }} />
        </label>
      )}
      {tried && unchosen && <p class="field-error at-choice" role="alert"><Icon name="bad" /> {t(answers.template === OWN ? "wizard.file.choose" : "wizard.template.choose")}</p>}
      {said && !said.name && <p class="field-error at-choice" role="alert"><Icon name="bad" /> {said.text}</p>}
      <TextField label={t("wizard.name")} value={answers.name} onInput={(name) => change({ name })} help={t("wizard.name.help")} mono disabled={props.installed}
        error={tried && wrong ? t(wrong) : said?.name ? said.text : undefined} />
      <Foot busy={busy} />
    </form>
  );
}

/** The first sentence of its README that is no title. */
function about(readme: string): string {
  const paragraph = readme.split(/\n\s*\n/).map((one) => one.trim()).find((one) => one && !one.startsWith("#")) ?? "";
  return paragraph.replace(/\s+/g, " ").replace(/`/g, "").split(/(?<=[.;])\s/)[0]?.replace(/;$/, ".") ?? "";
}

function freeName(wanted: string, taken: string[]): string {
  for (let n = 1; wanted; n += 1) {
    const name = n === 1 ? wanted : `${wanted}${n}`;
    if (!taken.includes(name)) return name;
  }
  return "";
}

function NodesStep({ answers, change, next }: StepProps) {
  const seen = cluster.value;
  const nodes = seen?.nodes ?? [];
  const lans = seen?.lans ?? [];
  const chosen = answers.networks.length ? answers.networks : lans;
  const silent = nodes.filter((one) => !one.reachable);
  return (
    <form onSubmit={(event) => { event.preventDefault(); change({ networks: chosen }); next(); }}>
      <h2 tabIndex={-1}>{t("wizard.nodes.title")}</h2>
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
