// Advanced: the files of bin/ and conf/, edited in place, then applied on both nodes.
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { num, text } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import { size } from "../model/figures.ts";
import type { ModuleView } from "../model/types.ts";
import { unsaved } from "../router.ts";
import { session } from "../store.ts";
import { Button, Notice, Panel, TextField } from "../ui/basics.tsx";
import { Editor } from "../ui/editor.tsx";
import { Icon } from "../ui/icons.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { ask } from "./actions.tsx";
import { Results } from "./config.tsx";
import { live, type Shown } from "../ui/words.tsx";

const languageOf = (path: string) => (path.endsWith(".xml") ? "xml" : path.startsWith("bin/") || path.endsWith(".sh") ? "shell" : "text");

export function FilesPage({ module }: { module: ModuleView }) {
  const files = useLoaded(() => api.config.files(module.name), [module.name]);
  const [path, setPath] = useState("");
  const [content, setContent] = useState<string | null>(null);
  const [binary, setBinary] = useState(false);
  const [edited, setEdited] = useState<Record<string, boolean>>({});
  const [fresh, setFresh] = useState("");
  const [said, setSaid] = useState<{ level: "good" | "bad"; text: Shown } | null>(null);
  const [results, setResults] = useState<api.NodeResult[]>([]);
  const [busy, setBusy] = useState(false);
  const version = useRef("");
  const admin = session.value?.role === "Admin";
  useEffect(() => {
    const first = files.value?.[0];
    if (first && !path) setPath(text((files.value ?? []).find((one) => text(one["path"]) === "bin/start_prim")?.["path"], text(first["path"])));
  }, [files.value]);
  useEffect(() => {
    if (!path) return;
    setContent(null);
    api.config.read(module.name, path).then(
      (file) => {
        setBinary(file["binary"] === true);
        setContent(text(file["content"]));
        version.current = text(file["etag"]);
      },
      (error) => setSaid({ level: "bad", text: sentenceOf(error) }),
    );
  }, [path]);
  const keep = async () => {
    setSaid(null);
    setBusy(true);
    try {
      const kept = await api.config.write(module.name, path, content ?? "", version.current);
      version.current = text(kept["etag"], version.current);
      setEdited({ ...edited, [path]: false });
      unsaved.value = false;
      setSaid({ level: "good", text: live(() => t("files.saved", { file: path })) });
      files.again();
    } catch (error) {
      setSaid({ level: "bad", text: sentenceOf(error) });
    } finally {
      setBusy(false);
    }
  };
  const apply = async () => {
    setBusy(true);
    setResults([]);
    try {
      setResults(await api.config.apply(module.name, module.nodes.map((one) => one.node)));
    } catch (error) {
      setSaid({ level: "bad", text: sentenceOf(error) });
    } finally {
      setBusy(false);
    }
  };
  const open = (next: string) => {
    if (unsaved.value && !confirm(t("unsaved.leave"))) return;
    unsaved.value = false;
    setEdited({ ...edited, [path]: false });
    setPath(next);
  };
  const running = module.nodes.filter((one) => one.reachable && one.configured && !["STOP", "UNKNOWN"].includes(one.word));
  return (
    <Panel title={t("files.title")} class="files">
      {files.problem && <Notice level="bad" role="alert">{files.problem}</Notice>}
      <div class="files-sides">
        <nav class="file-list" aria-label={t("files.list")}>
          <ul>
            {(files.value ?? []).map((one) => {
              const name = text(one["path"]);
              return (
                <li key={name}>
                  <button type="button" aria-current={name === path ? "true" : undefined} onClick={() => open(name)}>
                    <Icon name="file" /><span>{name}{edited[name] && <b title={t("files.unsaved")}> •<span class="sr">{t("files.unsaved")}</span></b>}</span>
                    <small>{size(num(one["bytes"]), lang.value)}</small>
                  </button>
                </li>
              );
            })}
          </ul>
          {admin && (
            <form class="new-file" onSubmit={(event) => { event.preventDefault(); void api.config.write(module.name, fresh, "", "").then(() => { files.again(); setPath(fresh); setFresh(""); }, (error) => setSaid({ level: "bad", text: sentenceOf(error) })); }}>
              <TextField label={t("files.new")} value={fresh} onInput={setFresh} placeholder="bin/…" mono />
              <Button type="submit" disabled={!/^(bin|conf)\/.+/.test(fresh)}>{t("files.create")}</Button>
            </form>
          )}
        </nav>
        <div class="file-text">
          {binary && <p class="muted">{t("files.binary")}</p>}
          {content !== null && path && !binary && (
            <Editor key={path} label={path} value={content} language={languageOf(path)} readOnly={!admin} onInput={(next) => { setContent(next); setEdited({ ...edited, [path]: true }); unsaved.value = true; }} />
          )}
        </div>
      </div>
      {running.length > 0 && (
        <Notice level="warn">
          {t("config.runs", { nodes: running.map((one) => `${one.node} ${one.word}`).join(", ") })}{" "}
          <Button onClick={() => ask(module.name, "*", "stop")}>{t("config.stop.both")}</Button>
        </Notice>
      )}
      <div class="config-foot">
        <Button onClick={() => void keep()} disabled={!admin || !edited[path]} busy={busy}>{t("files.save")}</Button>
        <Button kind="primary" onClick={() => void apply()} disabled={!admin || running.length > 0 || Object.values(edited).some(Boolean)} busy={busy}>{t("files.apply")}</Button>
      </div>
      <div class="said" aria-live="polite">
        {said && <Notice level={said.level}>{said.text}</Notice>}
        <Results results={results} />
      </div>
    </Panel>
  );
}
