// The list of modules: one line each, with the same four answers as the page of a module.
import { lang, say, t, type Key } from "../i18n/index.ts";
import { advice, safety, served } from "../model/safety.ts";
import type { ModuleView } from "../model/types.ts";
import { href } from "../router.ts";
import { cluster, modules, now, session } from "../store.ts";
import { Empty, StateChip } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { AdviceButton } from "./actions.tsx";

const USUAL: { template: string; title: Key; about: Key }[] = [
  { template: "postgresql", title: "usual.postgresql", about: "usual.postgresql.about" },
  { template: "mirror", title: "usual.mirror", about: "usual.mirror.about" },
  { template: ".safe", title: "usual.package", about: "usual.package.about" },
];

export function Modules() {
  const all = modules.value;
  const admin = session.value?.role === "Admin";
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t("nav.modules")}</h1>
        {admin && all && all.size > 0 && (
          <a class="button primary" href="#/new"><Icon name="plus" />{t("modules.new")}</a>
        )}
      </div>
      {all === null ? <p class="muted" role="status">{t("load.reading")}</p> : all.size === 0 ? <Nothing admin={admin} /> : (
        <ul class="module-list">
          {[...all.values()].sort((a, b) => a.name.localeCompare(b.name, lang.value)).map((one) => <Line key={one.name} module={one} />)}
        </ul>
      )}
    </div>
  );
}

function Line({ module }: { module: ModuleView }) {
  const safe = safety(module, now.value);
  return (
    <li class={`module-line ${safe.level}`}>
      <div class="who">
        <a class="name" href={href("m", module.name)}>{module.name}</a>
        <span class="muted">
          {say(served(module), now.value)}
          {module.addresses[0] ? ` · ${module.addresses[0]}` : ""}
        </span>
      </div>
      <div class={`safe ${safe.level}`}>
        <Icon name={safe.level} />
        <span>{say(safe, now.value)}</span>
      </div>
      <div class="pair">
        {module.nodes.map((node) => (
          <span key={node.node} class="pair-node">
            <span class="node-name">{node.node}</span>
            <StateChip word={node.word} readiness={node.readiness} reachable={node.reachable} small />
          </span>
        ))}
      </div>
      <div class="do"><AdviceButton module={module} advice={advice(module)} /></div>
    </li>
  );
}

/** No module yet, or no cluster: the page teaches what comes next. */
function Nothing({ admin }: { admin: boolean }) {
  if (cluster.value !== null && !cluster.value.configured) {
    return (
      <Empty>
        <h2>{t("empty.cluster.title")}</h2>
        <p>{t("empty.cluster.lead")}</p>
        <ol class="steps-list">
          <li>{t("empty.cluster.one")}</li>
          <li>{t("empty.cluster.two")}</li>
        </ol>
        <a class="button primary" href="#/cluster">{t("empty.cluster.button")}</a>
      </Empty>
    );
  }
  return (
    <Empty>
      <h2>{t("empty.modules.title")}</h2>
      <p>{t("empty.modules.lead")}</p>
      <div class="usual">
        {USUAL.map((one) => (
          <a key={one.title} class="usual-card" href={admin ? `#/new?template=${one.template}` : undefined} aria-disabled={!admin}>
            <b>{t(one.title)}</b>
            <span>{t(one.about)}</span>
          </a>
        ))}
      </div>
      {!admin && <p class="muted">{t("empty.modules.admin")}</p>}
    </Empty>
  );
}
