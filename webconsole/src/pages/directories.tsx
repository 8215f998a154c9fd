// A browser of the server's directories: names, free space, and what speaks against a directory.
import { useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { list, num, text, texts } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import { size } from "../model/figures.ts";
import { said } from "../model/said.ts";
import { session } from "../store.ts";
import { Button, Notice } from "../ui/basics.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icons.tsx";
import { useLoaded } from "../ui/load.ts";
import { Words } from "../ui/words.tsx";

const WARNINGS_MAX = 3;

export function DirectoryDialog(props: { start: string; onClose: () => void; onChosen: (path: string) => void }) {
  const [path, setPath] = useState(props.start.startsWith("/") ? props.start : "/");
  const node = session.value?.node ?? "";
  const loaded = useLoaded(() => api.host.directories(node, path), [path]);
  const parent = path.replace(/\/[^/]+\/?$/, "") || "/";
  const warnings = list(loaded.value?.["warnings_said"]).map((one) => said(one));
  const problem = loaded.problem || text(loaded.value?.["error"]);
  const free = num(loaded.value?.["bytes_free"]);
  return (
    <Dialog title={t("browse.title", { node })} onClose={props.onClose}>
      <p class="browse-path"><code>{path}</code></p>
      <div class="browse-list">
        {problem && <Notice level="bad" role="alert">{loaded.problem || <Words of={said(loaded.value?.["error_said"], text(loaded.value?.["error"]))} />}</Notice>}
        <ul>
          {path !== "/" && <li><button type="button" onClick={() => setPath(parent)}><Icon name="left" /> {t("browse.up")}</button></li>}
          {texts(loaded.value?.["names"]).map((name) => {
            return <li key={name}><button type="button" onClick={() => setPath(`${path === "/" ? "" : path}/${name}`)}><Icon name="folder" /> <span>{name}</span></button></li>;
          })}
        </ul>
      </div>
      <p class="help">{free !== null && t("browse.free", { free: size(free, lang.value), total: size(num(loaded.value?.["bytes_total"]), lang.value) })}</p>
      <div class="said">{warnings.slice(0, WARNINGS_MAX).map((one) => <Notice key={one.text} level="warn"><Words of={one} /></Notice>)}
        {warnings.length > WARNINGS_MAX && <p class="muted">{t("progress.more", { n: warnings.length - WARNINGS_MAX })}</p>}
      </div>
      <footer>
        <Button onClick={props.onClose}>{t("dialog.cancel")}</Button>
        <Button kind="primary" disabled={path === "/" || problem !== ""} onClick={() => props.onChosen(path)}>{t("browse.choose", { path })}</Button>
      </footer>
    </Dialog>
  );
}
