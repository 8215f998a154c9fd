// cluster.xml: networks and nodes as a table beside its text, with a red mark while what is typed
// is not saved; saved on both nodes at once.
import { useEffect, useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { text } from "../api/json.ts";
import { type Key, t } from "../i18n/index.ts";
import { tell } from "../i18n/said.ts";
import * as form from "../model/clusterform.ts";
import { said } from "../model/said.ts";
import type { ClusterView } from "../model/types.ts";
import { unsaved } from "../router.ts";
import { readCluster } from "../store.ts";
import { Button, Notice, Panel, TextField } from "../ui/basics.tsx";
import { Editor, type LineNote } from "../ui/editor.tsx";
import { Icon } from "../ui/icons.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { Notes, problemNotes, Results } from "./config.tsx";
import { live, Marked, type Shown } from "../ui/words.tsx";

const CHECK_AFTER_MS = 350;
/** The server keeps the lock for two minutes; who is refused tries again as often. */
const LOCK_EVERY_MS = 10_000;

export function ClusterEdit({ seen }: { seen: ClusterView }) {
  const loaded = useLoaded(api.cluster.xml, []);
  const current = text(loaded.value?.["xml"]);
  /** null: nothing was typed. */
  const [typed, setTyped] = useState<string | null>(null);
  const xml = typed ?? current;
  const [said, setSaid] = useState<{ level: "good" | "bad"; text: Shown } | null>(null);
  const [results, setResults] = useState<api.NodeResult[]>([]);
  const [busy, setBusy] = useState(false);
  const dirty = xml !== current;
  const notes = useNotes(dirty ? xml : "");
  const lock = useEditLock(dirty);
  const leaving = seen.nodes.filter((one) => !form.nodeNames(xml).includes(one.name));
  const change = (next: string) => {
    setTyped(next);
    setSaid(null);
    setResults([]);
    unsaved.value = next !== current;
  };
  const save = async () => {
    setBusy(true);
    setResults([]);
    setSaid(null);
    try {
      // A node that has not joined yet gets the file with its token.
      const told = seen.nodes.filter((one) => one.reachable).map((one) => one.name);
      const found = await api.cluster.save(xml, text(loaded.value?.["etag"]), told, lock.key);
      setResults(found);
      const good = found.every((one) => one.ok);
      const outcome: Key = !good ? "config.refused" : told.length > 1 && !leaving.length ? "cluster.saved" : form.nodeNames(xml).length > 1 ? "cluster.saved.here" : "cluster.saved.alone";
      setSaid({ level: good ? "good" : "bad", text: live(() => t(outcome)) });
      if (good) unsaved.value = false;
      if (good) setTyped(null);
      loaded.again();
      await readCluster();
    } catch (error) {
      setSaid({ level: "bad", text: sentenceOf(error) });
    } finally {
      setBusy(false);
    }
  };
  const wrong = notes.some((one) => one.level === "error");
  return (
    <Panel title={t("cluster.networks")} tools={<span class={`mark ${dirty ? "unsaved" : ""}`} role="status">{dirty ? t("cluster.unsaved") : ""}</span>}>
      {loaded.problem && <Notice level="bad">{loaded.problem}</Notice>}
      {lock.refused && <Notice level="warn" role="alert">{lock.refused}</Notice>}
      {!dirty && seen.editing && <Notice level="none">{t("cluster.editing", seen.editing)}</Notice>}
      {loaded.value ? <Table xml={xml} notes={notes} seen={seen} onChange={change} /> : !loaded.problem && <p class="muted" role="status">{t("load.reading")}</p>}
      {loaded.value && leaving.map((one) => <Notice key={one.name} level="warn"><Marked text={t(one.reachable ? "cluster.node.leaves" : "cluster.node.leaves.silent", { node: one.name })} /></Notice>)}
      <details class="teach">
        <summary>{t("cluster.text")}</summary>
        <Editor label="cluster.xml" value={xml} language="xml" notes={notes} onInput={change} />
      </details>
      <Notes notes={notes.map((one) => atCell(one, xml))} />
      <div class="said" aria-live="polite">{said && <Notice level={said.level}>{said.text}</Notice>}<Results results={results.filter((one) => !one.ok || form.nodeNames(xml).includes(one.node))} /></div>
      <div class="config-foot">
        <Button disabled={!dirty} onClick={() => { setTyped(null); unsaved.value = false; }}>{t("dialog.cancel")}</Button>
        <Button kind="primary" busy={busy} disabled={!dirty || wrong || lock.refused !== ""} onClick={() => void save()}>{t("cluster.save")}</Button>
      </div>
    </Panel>
  );
}

/** Others are kept out while something is typed here, and not longer: the lock ends with the typing. */
function useEditLock(wanted: boolean): { key: string; refused: Shown } {
  const [held, setHeld] = useState<{ key: string; refused: Shown }>({ key: "", refused: "" });
  useEffect(() => {
    if (!wanted) return;
    let key = "";
    let ended = false;
    const take = async () => {
      try {
        key = await api.cluster.lock(key);
        if (ended) await api.cluster.unlock(key);
        else setHeld({ key, refused: "" });
      } catch (error) {
        if (!ended) setHeld({ key: "", refused: sentenceOf(error) });
      }
    };
    void take();
    const timer = setInterval(() => void take(), LOCK_EVERY_MS);
    return () => {
      ended = true;
      clearInterval(timer);
      setHeld({ key: "", refused: "" });
      if (key) api.cluster.unlock(key).catch(() => undefined);
    };
  }, [wanted]);
  return held;
}

/** Checked by the server after a pause in the typing. */
function useNotes(xml: string): LineNote[] {
  const [notes, setNotes] = useState<LineNote[]>([]);
  useEffect(() => {
    if (!xml) return setNotes([]);
    let wanted = true;
    const timer = setTimeout(() => {
      api.cluster.check(xml).then(
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

function Table(props: { xml: string; notes: LineNote[]; seen: ClusterView; onChange: (xml: string) => void }) {
  const { xml, notes, seen, onChange } = props;
  // The node that holds the authority's key lets others in, so it takes them out, and stays itself.
  const removable = (name: string) => seen.makesCertificates && name !== seen.node;
  const names = form.nodeNames(xml);
  const lans = form.lans(xml);
  const wrong = (line: number) => line > 0 && notes.some((one) => one.level === "error" && one.line === line);
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("cluster.networks")}>
        <table class="networks-form">
          <thead>
            <tr>
              <th scope="col">{t("details.network")}</th>
              {names.map((name) => (
                <th key={name} scope="col">
                  {name}
                  {removable(name) && <Button kind="quiet" label={t("cluster.node.remove", { node: name })} onClick={() => onChange(form.withoutNode(xml, name))}><Icon name="close" /></Button>}
                </th>
              ))}
              <th scope="col"><span class="sr">{t("cluster.lan.remove.column")}</span></th>
            </tr>
          </thead>
          <tbody>
            {lans.map((lan, index) => (
              <tr key={index}>
                <td><input class="mono" aria-label={t("cluster.lan.name", { n: index + 1 })} aria-invalid={wrong(lan.line)} value={lan.name} spellcheck={false} onInput={(event) => onChange(form.withLanName(xml, index, event.currentTarget.value))} /></td>
                {lan.cells.map((cell) => (
                  <td key={cell.node}>
                    <input class="mono" aria-label={t("cluster.cell", { node: cell.node, lan: lan.name })} aria-invalid={wrong(cell.line)} value={cell.address} placeholder={t("cluster.cell.empty")} spellcheck={false}
                      onInput={(event) => onChange(form.withAddress(xml, index, cell.node, event.currentTarget.value))} />
                  </td>
                ))}
                <td>{lans.length > 1 && <Button kind="quiet" label={t("cluster.lan.remove", { lan: lan.name })} onClick={() => onChange(form.withoutLan(xml, index))}><Icon name="close" /></Button>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="tools networks-tools">
        {names.length === 1 && <NewNode xml={xml} taken={names} onChange={onChange} />}
        <Button onClick={() => onChange(form.withLan(xml, freeLan(lans.map((one) => one.name))))}><Icon name="plus" /> {t("cluster.lan.new")}</Button>
      </div>
    </>
  );
}

/** A note on an address is said by its place in the table, whose lines nobody counts. */
function atCell(note: LineNote, xml: string): LineNote {
  const lan = form.lans(xml).find((one) => one.cells.some((cell) => cell.line === note.line));
  const cell = lan?.cells.find((one) => one.line === note.line);
  if (!lan || !cell || note.line === 0) return note;
  const at = t("cluster.cell.at", { node: cell.node, lan: lan.name });
  const facts = note.said?.code === "config.value" ? note.said.facts : null;
  if (!facts) return { ...note, at };
  const part = (name: string) => tell(said(facts[name], text(facts[name]))).text;
  return { ...note, at, lang: undefined, text: t("cluster.cell.wrong", { observed: part("observed"), allowed: part("allowed") }) };
}

function freeLan(taken: string[]): string {
  for (let n = taken.length + 1; ; n += 1) if (!taken.includes(`lan${n}`)) return `lan${n}`;
}

/** SafeKit's "New node": its name, and its address on each network. */
function NewNode(props: { xml: string; taken: string[]; onChange: (xml: string) => void }) {
  const [name, setName] = useState("");
  const [addresses, setAddresses] = useState<string[]>([]);
  const [tried, setTried] = useState(false);
  const lans = form.lans(props.xml);
  const named = name.trim();
  const wrong = !named ? t("begin.name.empty") : props.taken.includes(named) ? t("cluster.node.taken") : "";
  const add = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (wrong || !addresses[0]?.trim()) return;
    props.onChange(lans.reduce((xml, _, index) => (addresses[index]?.trim() ? form.withAddress(xml, index, named, addresses[index] ?? "") : xml), props.xml));
  };
  return (
    <form class="row-form new-node" onSubmit={add} noValidate aria-label={t("cluster.node.new")}>
      <TextField label={t("cluster.node.name")} value={name} onInput={setName} mono placeholder="n2" error={tried && wrong ? wrong : undefined} />
      {lans.map((lan, index) => (
        <TextField key={lan.name} label={t("cluster.node.address", { lan: lan.name })} value={addresses[index] ?? ""} mono placeholder="10.0.0.12"
          onInput={(value) => setAddresses(lans.map((_, at) => (at === index ? value : (addresses[at] ?? ""))))}
          error={tried && index === 0 && !addresses[0]?.trim() ? t("cluster.node.no.address") : undefined} />
      ))}
      <Button type="submit"><Icon name="plus" /> {t("cluster.node.new")}</Button>
    </form>
  );
}
