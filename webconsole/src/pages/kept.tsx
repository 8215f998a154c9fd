// Versions kept aside: what was replaced or deleted by a reintegration that could not know better.
// Each can be had back, or removed to make room.
import { useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { lang, t, word } from "../i18n/index.ts";
import type { KeptVersion } from "../model/data.ts";
import * as figures from "../model/figures.ts";
import { server } from "../model/safety.ts";
import type { ModuleView } from "../model/types.ts";
import { now, session } from "../store.ts";
import { Button, Notice, Panel, TextField } from "../ui/basics.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { fromBoth, sentenceOf, useLoaded } from "../ui/load.ts";
import { live, type Shown, Words } from "../ui/words.tsx";

const SHOWN_MAX = 300;

export function KeptPanel({ module, states }: { module: ModuleView; states: string }) {
  const serving = server(module)?.node;
  const at = serving ?? session.value?.node ?? "";
  // The node that serves knows the versions of both; while none serves, each knows its own.
  const asked = serving ? [serving] : module.nodes.map((one) => one.node);
  const loaded = useLoaded(() => fromBoth(asked, (node) => api.modules.kept(module.name, node)), [module.name, at, states]);
  const [search, setSearch] = useState("");
  const [said, setSaid] = useState<{ level: "good" | "bad"; text: Shown } | null>(null);
  const [removing, setRemoving] = useState<string[] | null>(null);
  const admin = session.value?.role === "Admin";
  const all = loaded.value ?? [];
  const items = all.filter((one) => one.path.toLowerCase().includes(search.toLowerCase()));
  const restore = async (ids: string[]) => {
    setSaid(null);
    try {
      const failed = await api.modules.restoreKept(module.name, at, ids);
      setSaid(failed.length ? { level: "bad", text: <ul>{failed.map((one) => <li key={one.path}><code>{one.path}</code> <Words of={one.why} /></li>)}</ul> } : { level: "good", text: live(() => t("aside.restored")) });
      loaded.again();
    } catch (error) {
      setSaid({ level: "bad", text: sentenceOf(error) });
    }
  };
  return (
    <Panel title={t("aside.title")} tools={all.length > 0 ? <Button disabled={!admin} onClick={() => setRemoving(items.map((one) => one.id))}>{t("aside.remove.shown", { n: items.length })}</Button> : undefined}>
      <p class="help">{t("aside.help")}</p>
      {loaded.problem && <Notice level="warn">{loaded.problem}</Notice>}
      {loaded.value?.length === 0 && <p class="muted">{t("aside.none")}</p>}
      {all.length > 0 && (
        <>
          <TextField label={t("log.search")} type="search" value={search} onInput={setSearch} />
          <div class="scroll" tabIndex={0} role="region" aria-label={t("aside.title")}>
            <table class="stack">
              <thead><tr><th scope="col">{t("split.file")}</th><th scope="col">{t("aside.node")}</th><th scope="col" class="right">{t("split.size")}</th><th scope="col">{t("split.time")}</th><th scope="col">{t("aside.why")}</th><th scope="col"><span class="sr">{t("aside.restore")}</span></th></tr></thead>
              <tbody>{items.slice(0, SHOWN_MAX).map((one) => <Row key={one.id} version={one} admin={admin} onRestore={() => void restore([one.id])} />)}</tbody>
            </table>
          </div>
          {items.length > SHOWN_MAX && <p class="muted">{t("progress.more", { n: figures.count(items.length - SHOWN_MAX, lang.value) })}</p>}
        </>
      )}
      <div class="said" aria-live="polite">{said && <Notice level={said.level}>{said.text}</Notice>}</div>
      {removing && <Remove module={module.name} node={at} ids={removing} onClose={() => { setRemoving(null); loaded.again(); }} />}
    </Panel>
  );
}

function Row({ version, admin, onRestore }: { version: KeptVersion; admin: boolean; onRestore: () => void }) {
  return (
    <tr>
      <th scope="row"><code>{version.path}</code></th>
      <td>{t("aside.of", { side: version.side, node: version.node })}</td>
      <td class="right">{figures.size(version.bytes, lang.value)}</td>
      <td>{figures.moment(version.at, now.value, lang.value)}</td>
      <td>{word("aside.what", version.what)}</td>
      <td><Button disabled={!admin} label={t("aside.restore.file", { file: version.path })} onClick={onRestore}>{t("aside.restore")}</Button></td>
    </tr>
  );
}

/** For good: the module's name is asked for. */
function Remove(props: { module: string; node: string; ids: string[]; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [said, setSaid] = useState<Shown>("");
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      await api.modules.removeKept(props.module, props.node, props.ids, typed);
      props.onClose();
    } catch (error) {
      setSaid(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={t("aside.remove.shown", { n: props.ids.length })} onClose={props.onClose}>
      <Notice level="bad">{t("aside.remove.for.good")}</Notice>
      <TextField label={t("action.type.name", { module: props.module })} value={typed} onInput={setTyped} mono />
      <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
      <footer>
        <Button onClick={props.onClose}>{t("dialog.cancel")}</Button>
        <Button kind="danger" disabled={typed !== props.module} busy={busy} onClick={() => void run()}>{t("aside.remove")}</Button>
      </footer>
    </Dialog>
  );
}
