// The logs of both nodes merged by time, live and searchable, with the application's output.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { num, text } from "../api/json.ts";
import { lang, t, word } from "../i18n/index.ts";
import { size } from "../model/figures.ts";
import { merge, matches, shownTime } from "../model/log.ts";
import type { ModuleView } from "../model/types.ts";
import { place } from "../router.ts";
import { liveLog, session } from "../store.ts";
import { Button, Check, Choice, Notice, Panel, TextField } from "../ui/basics.tsx";
import { fromBoth, sentenceOf, useLoaded } from "../ui/load.ts";
import { save } from "../ui/save.ts";
import type { Shown } from "../ui/words.tsx";

const LINES = 500;
const OUTPUTS = 40;

export function LogPage({ module }: { module: ModuleView }) {
  const [node, setNode] = useState(place.value.query["node"] ?? "");
  const [search, setSearch] = useState("");
  const [output, setOutput] = useState(true);
  const [verbose, setVerbose] = useState(false);
  const [follow, setFollow] = useState(true);
  const [said, setSaid] = useState<Shown>("");
  const [held, setHeld] = useState<typeof liveLog.value | null>(null);
  const loaded = useLoaded(
    () => fromBoth(module.nodes.map((one) => one.node), (one) => api.modules.log(module.name, one, LINES, verbose)),
    [module.name, verbose, module.nodes.map((one) => one.reachable).join()],
  );
  const live = held ?? liveLog.value;
  const lines = useMemo(() => {
    const all = merge(loaded.value ?? [], live.filter((one) => one.module === module.name));
    return all.filter((one) => matches(one, { node, search, output, verbose }));
  }, [loaded.value, live, node, search, output, verbose]);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, follow]);
  const setFollowing = (on: boolean) => {
    setFollow(on);
    // Reading what is above must not be disturbed: new lines wait until one follows again.
    setHeld(on ? null : liveLog.value);
  };
  const snapshot = async (which: string) => {
    setSaid("");
    try {
      if (which) save(await api.host.snapshot(which, module.name), `snapshot_${which}_${module.name}.zip`);
      else save(await api.host.snapshotOfBoth(module.name), `snapshot_${module.name}.zip`);
    } catch (error) {
      setSaid(sentenceOf(error));
    }
  };
  const nodes = module.nodes.map((one) => one.node);
  const waiting = held ? liveLog.value.filter((one) => one.module === module.name).length - held.filter((one) => one.module === module.name).length : 0;
  return (
    <Panel title={t("log.title")} class="log-panel">
      <div class="log-tools">
        <TextField label={t("log.search")} value={search} onInput={setSearch} type="search" placeholder={t("log.search.hint")} />
        <Choice label={t("log.node")} value={node} onChange={setNode} options={[{ value: "", label: t("log.both") }, ...nodes.map((one) => ({ value: one, label: one }))]} />
        <div class="checks">
          <Check label={t("log.output")} checked={output} onChange={setOutput} />
          <Check label={t("log.verbose")} checked={verbose} onChange={setVerbose} />
          <Check label={t("log.follow")} checked={follow} onChange={setFollowing} />
        </div>
      </div>
      {loaded.problem && <Notice level="bad" role="alert">{loaded.problem}</Notice>}
      <div
        class="log"
        ref={box}
        role="log"
        aria-label={t("log.title")}
        aria-live="off"
        tabIndex={0}
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          const atEnd = scrollHeight - scrollTop - clientHeight < 24;
          if (follow && !atEnd) setFollowing(false);
        }}
      >
        {lines.map((one) => (
          <div key={one.id} class={`log-line level-${one.level}`}>
            <time>{shownTime(one.at, lang.value)}</time>
            <span class={`log-node n${nodes.indexOf(one.node)}`}>{one.node}</span>
            <abbr class="log-level" title={word("level", one.level)}>{one.level}</abbr>
            <span class="log-source">{one.source}</span>
            <span class="log-text" lang="en">{one.text}</span>
          </div>
        ))}
        {lines.length === 0 && <p class="muted">{t(search ? "log.none.found" : "log.none")}</p>}
      </div>
      <div class="log-foot">
        <span class="muted" role="status">
          {t("log.count", { n: lines.length })}{waiting > 0 ? ` · ${t("log.waiting", { n: waiting })}` : ""}
        </span>
        <span class="tools" hidden={session.value?.role === "Monitor"}>
          <span class="muted">{t("log.snapshot")}</span>
          {nodes.map((one) => <Button key={one} onClick={() => void snapshot(one)}>{one}</Button>)}
          <Button onClick={() => void snapshot("")}>{t("log.snapshot.both")}</Button>
        </span>
      </div>
      <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
      {session.value?.role !== "Monitor" && <Outputs module={module} nodes={nodes} />}
    </Panel>
  );
}

/** What the scripts said: one file a run, newest first, read when it is opened. */
function Outputs({ module, nodes }: { module: ModuleView; nodes: string[] }) {
  const [open, setOpen] = useState<{ node: string; name: string } | null>(null);
  const files = useLoaded(
    () => fromBoth(nodes, async (node) => (await api.modules.outputs(module.name, node)).map((one) => ({ node, name: text(one["name"]), bytes: num(one["bytes"]), at: (num(one["changed_us"]) ?? 0) / 1000 }))),
    [module.name],
  );
  const read = useLoaded(async () => (open ? text((await api.modules.output(module.name, open.node, open.name))["text"]) : ""), [open?.node, open?.name]);
  const shown = (files.value ?? []).sort((a, b) => b.at - a.at).slice(0, OUTPUTS);
  return (
    <details class="outputs">
      <summary>{t("outputs.title")}</summary>
      {files.problem && <Notice level="warn">{files.problem}</Notice>}
      {shown.length === 0 && <p class="muted">{t("outputs.none")}</p>}
      <div class="outputs-sides">
        <ul class="file-list">
          {shown.map((one) => (
            <li key={one.node + one.name}>
              <button type="button" aria-current={open?.name === one.name && open.node === one.node ? "true" : undefined} onClick={() => setOpen(one)}>
                <span class={`log-node n${nodes.indexOf(one.node)}`}>{one.node}</span>
                <span>{one.name.replace(/\.ulog$/, "")}</span>
                <small>{size(one.bytes, lang.value)}</small>
              </button>
            </li>
          ))}
        </ul>
        {open && <pre class="output" tabIndex={0} aria-label={open.name}>{read.problem || read.value}</pre>}
      </div>
    </details>
  );
}
