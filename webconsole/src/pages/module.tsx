// The page of one module: four questions at a glance, both nodes and their link, what happened,
// and doors to everything else. Draws values; decides nothing.
import { useEffect, useRef } from "preact/hooks";
import { lang, maybe, say, t, word } from "../i18n/index.ts";
import { tell } from "../i18n/said.ts";
import { moment } from "../model/figures.ts";
import { advice, safety, served } from "../model/safety.ts";
import type { Incident, ModuleView } from "../model/types.ts";
import { href, place } from "../router.ts";
import { modules, now, session } from "../store.ts";
import { Notice } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { Words } from "../ui/words.tsx";
import { AdviceButton } from "./actions.tsx";
import { NodeCard } from "./cards.tsx";
import { ConfigPage } from "./config.tsx";
import { Details } from "./details.tsx";
import { FilesPage } from "./files.tsx";
import { FirstStart } from "./firststart.tsx";
import { LinkDrawing } from "./link.tsx";
import { LogPage } from "./log.tsx";
import { ProgressPanel } from "./progress.tsx";
import { SplitPage } from "./split.tsx";
import { History } from "./history.tsx";

const TABS = ["overview", "log", "files", "config", "split"] as const;

export function ModulePage() {
  const name = place.value.path[1] ?? "";
  const tab = place.value.path[2] ?? "overview";
  const module = modules.value?.get(name);
  const tabs = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a narrow screen the tabs scroll; the one that is shown must be seen.
    const current = tabs.current?.querySelector<HTMLElement>("[aria-current]");
    if (tabs.current && current) tabs.current.scrollLeft = current.offsetLeft + current.offsetWidth / 2 - tabs.current.clientWidth / 2;
  }, [tab, lang.value, module === undefined]);
  if (modules.value === null) return <p class="page muted" role="status">{t("load.reading")}</p>;
  if (!module) {
    return (
      <div class="page">
        <Notice level="warn">{t("module.unknown", { module: name })} <a href="#/modules">{t("nav.modules")}</a></Notice>
      </div>
    );
  }
  return (
    <div class="page module-page">
      <nav class="crumbs" aria-label={t("crumbs.label")}>
        <a href="#/modules">{t("nav.modules")}</a><Icon name="right" /><span aria-current="page">{name}</span>
      </nav>
      <Questions module={module} />
      <nav class="tabs" ref={tabs} aria-label={t("tabs.label")}>
        {TABS.filter((one) => session.value?.role === "Admin" || one === "overview" || one === "log").map((one) => (
          <a key={one} href={one === "overview" ? href("m", name) : href("m", name, one)} aria-current={tab === one ? "page" : undefined}>
            {t(`tab.${one}`)}
          </a>
        ))}
      </nav>
      <Body module={module} tab={tab} />
    </div>
  );
}

function Body({ module, tab }: { module: ModuleView; tab: string }) {
  switch (tab) {
    case "log":
      return <LogPage module={module} />;
    case "files":
      return <FilesPage key={module.name} module={module} />;
    case "config":
      return <ConfigPage key={module.name} module={module} />;
    case "first":
      return <FirstStart module={module} />;
    case "split":
      return <SplitPage module={module} />;
    default:
      return <Overview module={module} />;
  }
}

/** Who serves, is the data safe, what is happening and why, what should I do. */
function Questions({ module }: { module: ModuleView }) {
  const safe = safety(module, now.value);
  const todo = advice(module);
  return (
    <section class={`questions ${safe.level}`} aria-label={t("q.label")}>
      <div class="q-head">
        <h1>{module.name}</h1>
        <p class="served">
          {module.addresses.length > 0 && <span class="address"><Icon name="address" label={t("q.address")} />{module.addresses.join(", ")}</span>}
          <span>{say(served(module), now.value)}</span>
        </p>
      </div>
      <p class="safety" role="status" aria-live="polite"><Icon name={safe.level} /><span>{say(safe, now.value)}</span></p>
      <div class="q-rest">
        <div>
          <h2>{t("q.what")}</h2>
          {module.nodes.map((node) => (
            <p key={node.node} class="why">
              <b>{node.node}</b> {node.mute ? t("meaning.mute") : node.reachable ? maybe(`meaning.${node.word}.${node.readiness}`) || word("meaning", node.word) : t("meaning.silent")}
              {node.reason.text && <span class="reason"><Words of={node.reason} />{node.row && <code title={t("q.row")}>{node.row}</code>}</span>}
            </p>
          ))}
        </div>
        <div>
          <h2>{t("q.todo")}</h2>
          <p class="todo">{say(todo, now.value)}</p>
          <div class="todo-button"><AdviceButton module={module} advice={todo} long /></div>
        </div>
      </div>
    </section>
  );
}

function Overview({ module }: { module: ModuleView }) {
  const [left, right] = module.nodes;
  return (
    <>
      <div class="pair-view">
        {left && <NodeCard module={module} node={left} />}
        <LinkDrawing module={module} />
        {right && <NodeCard module={module} node={right} />}
      </div>
      {module.progress && <ProgressPanel module={module} progress={module.progress} />}
      <Incidents module={module} />
      <History module={module} />
      <Details module={module} />
      {session.value?.role === "Admin" && module.nodes.every((one) => one.word === "STOP") && module.neverSynced && (
        <p><a href={href("m", module.name, "first")}>{t("advice.first.button")}</a></p>
      )}
    </>
  );
}

function Incidents({ module }: { module: ModuleView }) {
  if (!module.incidents.length) return null;
  return (
    <section class="incidents" aria-label={t("incidents.label")}>
      {module.incidents.map((one) => <IncidentLine key={`${one.kind}${one.node}${one.at}`} incident={one} />)}
    </section>
  );
}

function IncidentLine({ incident }: { incident: Incident }) {
  const values: Record<string, string | number> = { node: incident.node };
  for (const [name, value] of Object.entries(incident.facts)) {
    values[name] = typeof value === "number" ? fact(name, value) : typeof value === "string" ? value : tell(value).text;
  }
  const level = incident.kind === "lost" || incident.kind === "certificate" || incident.kind === "clock" ? "warn" : "bad";
  return (
    <Notice level={level}>
      {incident.at !== null && <time class="muted">{moment(incident.at, now.value, lang.value)}</time>}{" "}
      <b>{word("incident", incident.kind)}</b>{" "}
      {maybe(`incident.${incident.kind}.text`, values)}
    </Notice>
  );
}

function fact(name: string, value: number): string {
  return say({ key: "fact.only", params: { value: name.endsWith("_ms") ? (name.startsWith("at") ? { at: value } : { ms: value }) : name.endsWith("bytes") ? { bytes: value } : { count: value } } }, now.value);
}
