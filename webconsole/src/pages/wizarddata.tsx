// The wizard's third step: directories, looked at on both nodes as they are typed, and the virtual
// address, looked for in the network. What is wrong stands at its field, and the step does not end.
import { useEffect, useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { type Json, list, num, text, texts } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import { tell } from "../i18n/said.ts";
import { size } from "../model/figures.ts";
import { type Said, said } from "../model/said.ts";
import { directoryProblem } from "../model/wizard.ts";
import { cluster, expired } from "../store.ts";
import { Button, Notice, TextField } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { plainOf, saidOf, sentenceOf } from "../ui/load.ts";
import { live, type Shown, Words } from "../ui/words.tsx";
import { DirectoryDialog } from "./directories.tsx";
import { Foot, type StepProps } from "./wizard.tsx";

const LOOK_AFTER_MS = 400;
const WARNINGS_MAX = 3;

/** What a look at a value found, for the value that it was done for. */
interface Looked<T> {
  of: string;
  found: T;
}

function useLook<T>(value: string, look: (value: string) => Promise<T>, failed: (error: unknown) => T): T | null {
  const [looked, setLooked] = useState<Looked<T> | null>(null);
  useEffect(() => {
    if (!value || expired.value) return;
    let wanted = true;
    const timer = setTimeout(() => {
      look(value).catch(failed).then((found) => wanted && setLooked({ of: value, found }), () => undefined);
    }, LOOK_AFTER_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [value, expired.value]);
  return looked?.of === value ? looked.found : null;
}

export function DataStep({ answers, change, next }: StepProps) {
  const [browsing, setBrowsing] = useState<number | null>(null);
  const [tried, setTried] = useState(false);
  const [missing, setMissing] = useState<Record<string, Unseen[]>>({});
  const address = answers.address.trim();
  const seen = useLook<Json>(address, api.host.address, (error) => ({ problem: addressRefused(error) }));
  const wrong = answers.directories.map((one, at) => {
    const problem = directoryProblem(answers.directories, at);
    return problem ? t(problem.key, problem.values) : unseenSaid(missing[one] ?? []);
  });
  const badAddress: Shown = !address || !seen ? "" : seen["problem"] ? (seen["problem"] as Shown) : seen["answers"] === true ? t("wizard.address.used") : "";
  const looking = (address !== "" && !seen) || answers.directories.some((one) => one.startsWith("/") && !(one in missing));
  const set = (index: number, dir: string) => change({ directories: answers.directories.map((one, at) => (at === index ? dir : one)) });
  const submit = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (!looking && wrong.every((one) => !one) && !badAddress) next();
  };
  return (
    <form onSubmit={submit} noValidate>
      <h2 tabIndex={-1}>{t("wizard.data.title")}</h2>
      <p class="lead">{t("wizard.data.help")}</p>
      {answers.directories.map((dir, index) => (
        <div key={index}>
          <div class="directory">
            <TextField label={t("form.directory", { n: index + 1 })} value={dir} mono placeholder="/var/lib/postgresql" onInput={(value) => set(index, value)}
              error={(tried || missing[dir]?.length ? wrong[index] : "") || undefined} />
            <Button onClick={() => setBrowsing(index)}><Icon name="folder" /> {t("wizard.browse")}</Button>
            <Button kind="quiet" label={t("form.directory.remove", { dir })} disabled={answers.directories.length === 1} onClick={() => change({ directories: answers.directories.filter((_, at) => at !== index) })}><Icon name="close" /></Button>
          </div>
          <OnNodes dir={dir.startsWith("/") ? dir : ""} onLooked={(of, unseen) => setMissing((before) => ({ ...before, [of]: unseen }))} />
        </div>
      ))}
      <Button onClick={() => change({ directories: [...answers.directories, ""] })}><Icon name="plus" /> {t("form.directory.add")}</Button>
      <h3>{t("wizard.address")}</h3>
      <TextField label={t("form.vip")} value={answers.address} mono placeholder="10.0.0.50" onInput={(value) => change({ address: value })} help={t("wizard.address.help")} error={badAddress || undefined} />
      <div class="said" aria-live="polite">
        {address && !seen && <p class="muted">{t("wizard.address.looking")}</p>}
        {seen && !badAddress && <AddressSeen seen={seen} />}
      </div>
      {browsing !== null && <DirectoryDialog start={answers.directories[browsing] ?? ""} onClose={() => setBrowsing(null)} onChosen={(dir) => { set(browsing, dir); setBrowsing(null); }} />}
      <Foot busy={tried && looking} />
    </form>
  );
}

/** At its field an address is not named once more. */
function addressRefused(error: unknown): Shown {
  const refused = saidOf(error);
  if (refused?.code !== "MIR-806") return sentenceOf(error);
  const part = (name: string) => tell(said(refused.facts[name], text(refused.facts[name]))).text;
  return live(() => t("cluster.cell.wrong", { observed: part("observed"), allowed: part("remedy") }));
}

/** A node on which a directory is not seen, and why. */
interface Unseen {
  node: string;
  why: Said;
}

/** One sentence for the field: what is so, where, and what to do. */
function unseenSaid(unseen: Unseen[]): Shown {
  const nodes = unseen.map((one) => one.node).join(", ");
  if (!unseen.length) return "";
  if (unseen.every((one) => one.why.code === "why.absent")) return t("wizard.dir.absent", { nodes });
  const [first, ...others] = unseen;
  if (first && others.every((one) => one.why.text === first.why.text)) return <>{t("wizard.dir.on", { node: nodes })} <Words of={first.why} /></>;
  return <>{unseen.map((one) => <span key={one.node} class="one-node">{t("wizard.dir.on", { node: one.node })} <Words of={one.why} />. </span>)}</>;
}

/** A directory as it is on each node: free room, and what speaks against it. */
function OnNodes(props: { dir: string; onLooked: (dir: string, unseen: Unseen[]) => void }) {
  const nodes = (cluster.value?.nodes ?? []).filter((one) => one.reachable).map((one) => one.name);
  const look = async (dir: string) => {
    const found = await Promise.all(nodes.map(async (node) => ({ ...(await api.host.directories(node, dir).catch((error: unknown) => ({ error: plainOf(error), error_said: saidOf(error) }))), node }) as Json));
    const bad = found.filter((one) => text(one["error"]));
    props.onLooked(dir, bad.map((one) => ({ node: text(one["node"]), why: said(one["error_said"], text(one["error"])) })));
    return found;
  };
  const found = useLook<Json[]>(props.dir, look, () => []);
  if (!found) return null;
  return (
    <ul class="on-nodes">
      {found.filter((one) => !text(one["error"])).map((one) => {
        const warnings = list(one["warnings_said"]).map((warning) => said(warning));
        return (
          <li key={text(one["node"])}>
            <b>{text(one["node"])}</b>{" "}
            <span class="muted">{t("browse.free", { free: size(num(one["bytes_free"]), lang.value), total: size(num(one["bytes_total"]), lang.value) })} · {t(one["empty"] === true ? "facts.empty" : "wizard.dir.filled")}</span>
            {warnings.slice(0, WARNINGS_MAX).map((warning) => <span key={warning.text} class="warning"><Icon name="warn" /> <Words of={warning} /></span>)}
            {warnings.length > WARNINGS_MAX && <span class="muted">{t("progress.more", { n: warnings.length - WARNINGS_MAX })}</span>}
          </li>
        );
      })}
    </ul>
  );
}

function AddressSeen({ seen }: { seen: Json }) {
  const address = texts(seen["addresses"]).join(", ");
  const network = text(seen["interface"]);
  if (!network) return <Notice level="warn">{t("wizard.address.foreign", { address: address || text(seen["given"]) })}</Notice>;
  return <Notice level={seen["answers"] === false ? "good" : "warn"}>{t(seen["answers"] === false ? "wizard.address.free" : "wizard.address.unknown", { address, network })}</Notice>;
}
