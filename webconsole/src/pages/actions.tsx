// SafeKit's menu of a node, and what stands between a click and the command: what will happen.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { command, foresee } from "../api/endpoints.ts";
import { type Key, maybe, say, t, word } from "../i18n/index.ts";
import { tell } from "../i18n/said.ts";
import type { Said } from "../model/said.ts";
import type { Advice } from "../model/safety.ts";
import type { ModuleView, NodeView } from "../model/types.ts";
import { type Act, caution, forced, type Foresight, type Step, undoOf, type WhatIf } from "../model/whatif.ts";
import { go, href } from "../router.ts";
import { modules, now, session } from "../store.ts";
import { Button, Notice, TextField } from "../ui/basics.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { sentenceOf } from "../ui/load.ts";
import { type Item, Menu } from "../ui/menu.tsx";
import { type Shown, Words } from "../ui/words.tsx";

export interface Asked {
  module: string;
  node: string;
  verb: string;
  args: string[];
}

/** The action that waits for the reader's yes; one at a time, for the whole console. */
export const asked = signal<Asked | null>(null);

interface Verb {
  id: string;
  verb: string;
  args?: string[];
  group: Key;
  danger?: boolean;
  when: (node: NodeView) => boolean;
}

const running = (node: NodeView) => node.word !== "STOP" && node.word !== "UNKNOWN";
const stopped = (node: NodeView) => node.word === "STOP";

const VERBS: Verb[] = [
  { id: "start", verb: "start", group: "menu.control", when: stopped },
  { id: "stop", verb: "stop", group: "menu.control", when: running },
  { id: "restart", verb: "restart", group: "menu.control", when: running },
  { id: "stopstart", verb: "stopstart", group: "menu.control", when: running },
  { id: "swap", verb: "swap", group: "menu.control", when: (node) => node.word === "PRIM" || node.word === "SECOND" },
  { id: "prim", verb: "prim", group: "menu.force", danger: true, when: (node) => stopped(node) || node.word === "WAIT" },
  { id: "second", verb: "second", group: "menu.force", when: (node) => stopped(node) || node.word === "WAIT" },
  { id: "second.fullsync", verb: "second", args: ["fullsync"], group: "menu.force", danger: true, when: (node) => stopped(node) || node.word === "WAIT" },
  { id: "primforce", verb: "primforce", group: "menu.force", danger: true, when: (node) => stopped(node) || node.word === "WAIT" },
  { id: "forcestop", verb: "forcestop", group: "menu.force", danger: true, when: running },
];

/** What can be switched off for a while, and on again: SafeKit's Disable and Enable. */
const SWITCHES = ["checker", "errd", "failover"] as const;

export function ActionsMenu({ module, node }: { module: ModuleView; node: NodeView }) {
  const may = session.value?.role !== "Monitor";
  const reason = (verb: Verb) => {
    if (!may) return t("action.role");
    if (!node.reachable) return t("action.silent", { node: node.node });
    return verb.when(node) ? "" : t("action.not.now", { state: node.word });
  };
  const items: Item[] = VERBS.map((one) => ({
    id: one.id,
    label: t(`verb.${one.id}` as Key),
    about: t(`verb.${one.id}.about` as Key),
    group: t(one.group),
    disabled: reason(one),
    danger: one.danger,
    run: () => ask(module.name, node.node, one.verb, one.args),
  }));
  for (const verb of SWITCHES) {
    for (const action of ["off", "on"]) {
      items.push({
        id: `${verb}.${action}`,
        label: t(`verb.${verb}.${action}` as Key),
        about: t(`verb.${verb}.${action}.about` as Key),
        group: t("menu.settings"),
        disabled: may ? "" : t("action.role"),
        run: () => ask(module.name, node.node, verb, [action]),
      });
    }
  }
  items.push({
    id: "boot",
    label: t("verb.boot"),
    about: t("verb.boot.about", { boot: node.boot || "ignore" }),
    group: t("menu.settings"),
    run: () => go(`${href("m", module.name)}/config`),
  });
  return <Menu label={t("menu.more")} name={t("menu.of", { node: node.node })} items={items} />;
}

export function ask(module: string, node: string, verb: string, args: string[] = []): void {
  asked.value = { module, node, verb, args };
}

export function AdviceButton(props: { module: ModuleView; advice: Advice; long?: boolean }) {
  const { module, advice } = props;
  if (!advice.button) return <span class="muted advice-none">{props.long ? "" : say(advice, now.value)}</span>;
  const label = say({ key: advice.button, params: advice.params }, now.value);
  if (advice.page) {
    const target = advice.page.startsWith("/") ? `#${advice.page}` : `${href("m", module.name)}/${advice.page}`;
    return <a class="button primary" href={target}>{label}</a>;
  }
  return (
    <Button kind={advice.verb === "prim" ? "danger" : "primary"} disabled={session.value?.role === "Monitor"} onClick={() => ask(module.name, advice.node ?? "", advice.verb ?? "")}>
      {label}
    </Button>
  );
}

/** What will happen on each node, how long, how to undo it; then the command and its answer. */
export function ActionDialog() {
  const action = asked.value;
  if (!action) return null;
  return <Confirm key={`${action.module}.${action.node}.${action.verb}.${action.args.join()}`} action={action} />;
}

function Confirm({ action }: { action: Asked }) {
  const [said, setSaid] = useState<Shown>("");
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<Said[] | null>(null);
  const module = modules.value?.get(action.module);
  const [found, setFound] = useState<Foresight | null>(null);
  // Asked once, when the dialog opens: what is being read must not change under the reader.
  useEffect(() => {
    if (module) void foresee(module, action.node, action.verb, action.args).then(setFound);
  }, []);
  const id = [action.verb, ...action.args].join(".");
  const title = t("action.title", {
    verb: word("verb", id),
    module: action.module,
    node: action.node === "*" ? t("action.both") : action.node,
  });
  const close = () => {
    asked.value = null;
  };
  if (!module) return null;
  const run = async () => {
    setBusy(true);
    setSaid("");
    try {
      setDone(await command(module, action.node, action.verb, action.args, typed));
    } catch (error) {
      setSaid(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  const care = found ? caution(found, action.verb, action.args) : { interrupts: false, discards: false };
  const ready = found !== null && (!care.discards || typed === action.module);
  return (
    <Dialog title={title} onClose={close}>
      <div aria-live="polite">
        {found ? <Foreseen found={found} care={care} undo={t(undoOf(action.verb))} /> : <p class="muted">{t("load.reading")}</p>}
      </div>
      {care.discards && !done && <TextField label={t("action.type.name", { module: action.module })} value={typed} onInput={setTyped} mono />}
      <div class="said" aria-live="polite">
        {said && <Notice level="bad">{said}</Notice>}
        {done && <Notice level="good"><Answers of={done} /> {t("action.watch")}</Notice>}
      </div>
      <footer>
        <Button onClick={close} kind={done ? "primary" : "plain"}>{t(done ? "dialog.close" : "dialog.cancel")}</Button>
        {!done && (
          <Button kind={care.discards || care.interrupts ? "danger" : "primary"} disabled={!ready} busy={busy} onClick={() => void run()}>
            {word("verb", id)}
          </Button>
        )}
      </footer>
    </Dialog>
  );
}

/** What the nodes answered: once when they say the same. */
function Answers({ of }: { of: Said[] }) {
  const different = of.filter((one, index) => of.findIndex((other) => other.text === one.text) === index);
  if (!different.length) return <>{t("action.asked")}</>;
  return <>{different.map((one, index) => <span key={one.text}>{index > 0 && "; "}<Words of={one} /></span>)}.</>;
}

function Foreseen({ found, care, undo }: { found: Foresight; care: { interrupts: boolean; discards: boolean }; undo: string }) {
  return (
    <>
      {care.discards && <Notice level="bad">{t("action.discards")}</Notice>}
      {found.kind === "refused" && <Notice level="bad">{t("action.refused")} <Words of={found.sentence} /></Notice>}
      {found.kind === "told" && !care.discards && care.interrupts && <Notice level="warn">{t("action.interrupts")}</Notice>}
      {found.kind === "unavailable" && <Notice level="warn">{t("action.unavailable")} <Words of={found.sentence} /></Notice>}
      {found.kind === "told" && <Plan plan={found.plan} />}
      {found.kind === "effect" && <p>{t(found.key)}</p>}
      <p class="help">{t("action.undo", { undo })}</p>
    </>
  );
}

function Plan({ plan }: { plan: WhatIf }) {
  const silent = plan.nodes.filter((one) => one.before === "UNKNOWN").map((one) => one.node);
  return (
    <>
      {silent.length > 0 && <Notice level="warn">{t("action.unheard", { node: silent.join(", ") })}</Notice>}
      {forced(plan) && <Notice level="warn">{t("action.forced", { node: forced(plan) })}</Notice>}
      {!plan.rests && <Notice level="warn">{t("action.no.rest")}</Notice>}
      {plan.warnings.map((one) => <Notice key={one.text} level="warn"><Words of={one} /></Notice>)}
      <h3>{t("action.will.happen")}</h3>
      <ol class="plan">
        {plan.steps.map((step, index) => (
          <li key={index}>
            <span class="plan-node">{step.node}</span>
            <span>{stepText(step)} {step.rows.map((one) => <><code key={one.row} title={`${t("q.row")}: ${tell(one.why).text}`}>{one.row}</code>{" "}</>)}</span>
          </li>
        ))}
      </ol>
      <h3>{t("action.after")}</h3>
      <ul>
        {plan.nodes.map((one) => (
          <li key={one.node}>
            <b>{one.node}</b> {one.word} ({word("readiness", one.readiness)}) <span class="reason"><Words of={one.reason} /></span>
          </li>
        ))}
      </ul>
    </>
  );
}

const actText = (act: Act) => (act.what === "scripts" ? t("act.scripts", { scripts: act.scripts.join(", ") }) : maybe(`act.${act.what}`) || act.text);

function stepText(step: Step): string {
  const state = `${step.word} (${word("readiness", step.readiness)})`;
  const said = [...(step.moved ? [t("action.becomes", { state })] : []), ...step.does.map(actText)];
  return said.join(t("list.and")) || t("action.stays", { state });
}
