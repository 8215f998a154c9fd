// Who did what, from where, with which result.
import { useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { type Json, num, text } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import { detail } from "../i18n/sent.ts";
import { moment } from "../model/figures.ts";
import { type Said, said } from "../model/said.ts";
import { cluster, now, session } from "../store.ts";
import { Notice, Panel, TextField } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { fromBoth, useLoaded } from "../ui/load.ts";
import { Words } from "../ui/words.tsx";

const ENTRIES = 300;

/** What a request does is its code; one that was sent on to another node says so after it. */
function did(what: string, nodes: string[]): Said {
  const node = nodes.find((one) => what.endsWith(` on ${one}`));
  const first = node ? what.slice(0, -` on ${node}`.length) : what;
  const done: Said = { code: `did.${first}`, facts: {}, text: first };
  return node ? { code: "did.there", facts: { what: done, node }, text: what } : done;
}

export function Audit() {
  const nodes = cluster.value?.nodes.map((one) => one.name) ?? [];
  const asked = nodes.length ? nodes : [session.value?.node ?? ""];
  const loaded = useLoaded(() => fromBoth(asked, async (node) => (await api.people.audit(node, ENTRIES)).map((one) => ({ ...one, node }) as Json)), [asked.join()]);
  const [search, setSearch] = useState("");
  const words = search.toLowerCase().split(/\s+/);
  const newest = (loaded.value ?? []).sort((a, b) => (num(b["time_us"]) ?? 0) - (num(a["time_us"]) ?? 0));
  const shown = newest.filter((one) => words.every((word) => JSON.stringify(one).toLowerCase().includes(word)));
  return (
    <div class="page">
      <h1>{t("nav.audit")}</h1>
      <Panel title={t("audit.title")}>
        <p class="help">{t("audit.lead")}</p>
        <TextField label={t("log.search")} type="search" value={search} onInput={setSearch} />
        {loaded.problem && <Notice level="bad" role="alert">{loaded.problem}</Notice>}
        <div class="scroll" tabIndex={0} role="region" aria-label={t("audit.title")}>
          <table class="audit stack">
            <thead><tr><th scope="col">{t("audit.when")}</th><th scope="col">{t("audit.who")}</th><th scope="col">{t("audit.from")}</th><th scope="col">{t("audit.node")}</th><th scope="col">{t("audit.what")}</th><th scope="col">{t("audit.result")}</th></tr></thead>
            <tbody>
              {shown.map((one, index) => {
                const good = text(one["result"]) === "done";
                return (
                  <tr key={`${text(one["node"])}${text(one["id"], String(index))}`}>
                    <td>{moment((num(one["time_us"]) ?? 0) / 1000, now.value, lang.value)}</td>
                    <td>{text(one["name"])} <span class="muted">{text(one["role"])}</span></td>
                    <td><code>{text(one["origin"])}</code></td>
                    <td>{text(one["node"])}</td>
                    <td class="wide"><Words of={did(text(one["what"]), asked)} /> {text(one["module"])} <span class="muted">{detail(text(one["detail"]))}</span></td>
                    <td class={`resource sentence ${good ? "up" : "down"}`}><Icon name={good ? "Ready" : "NotReady"} /> <Words of={said(one["said"] ?? { code: `result.${text(one["result"])}`, facts: {}, text: one["result"] })} /></td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
        <p class="muted" role="status">{t("log.count", { n: shown.length })}</p>
      </Panel>
    </div>
  );
}
