// The one-time token, in either direction: made on a node of the cluster and used on the new one,
// or made on the new one and used on a node of the cluster. What is made is shown once.
import { useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { text } from "../api/json.ts";
import { t } from "../i18n/index.ts";
import { type TokenKind, tokenAddress, tokenKind } from "../model/clusterform.ts";
import type { ClusterNode } from "../model/types.ts";
import { readCluster } from "../store.ts";
import { Button, Choice, Notice, Panel, TextField } from "../ui/basics.tsx";
import { sentenceOf } from "../ui/load.ts";
import { Marked, type Shown } from "../ui/words.tsx";

/** On a node of the cluster: let the other one in. */
export function LetIn({ nodes }: { nodes: ClusterNode[] }) {
  const other = nodes.find((one) => !one.self)?.name ?? "n2";
  return (
    <Panel title={t("cluster.token")}>
      <p class="help">{t("cluster.token.help", { node: other })}</p>
      <div class="two-ways">
        <section>
          <h3>{t("cluster.token.give")}</h3>
          <p class="help"><Marked text={t("cluster.token.give.help")} /></p>
          <Made make={() => api.cluster.token(other, "")} said={t("cluster.token.once", { node: other })} />
        </section>
        <section>
          <h3>{t("cluster.token.take")}</h3>
          <p class="help"><Marked text={t("cluster.token.take.help")} /></p>
          <Used wanted="new" button={t("cluster.token.take.button", { node: other })} />
        </section>
      </div>
    </Panel>
  );
}

/** On a node of no cluster: join with a token of the cluster, or make one to be taken in. */
export function Join({ addresses }: { addresses: string[] }) {
  const [address, setAddress] = useState("");
  return (
    <Panel title={t("begin.join")}>
      <p class="lead">{t("begin.join.help")}</p>
      <pre><code>mirror cluster token</code></pre>
      <Used wanted="member" button={t("begin.join.button")} />
      <details class="teach">
        <summary>{t("begin.join.other.way")}</summary>
        <p class="help"><Marked text={t("begin.join.other.way.help")} /></p>
        {addresses.length > 1 && <Choice label={t("begin.join.address")} value={address || (addresses[0] ?? "")} onChange={setAddress} options={addresses.map((one) => ({ value: one, label: one }))} />}
        <Made make={() => api.cluster.token("", address || (addresses[0] ?? ""))} said={t("begin.join.made")} />
      </details>
    </Panel>
  );
}

function Made(props: { make: () => Promise<Record<string, unknown>>; said: string }) {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState<Shown>("");
  const [busy, setBusy] = useState(false);
  const make = async () => {
    setProblem("");
    setBusy(true);
    try {
      setToken(text((await props.make())["token"]));
    } catch (error) {
      setProblem(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button kind="primary" busy={busy} onClick={() => void make()}>{t("cluster.token.make")}</Button>
      <div class="said" aria-live="polite">
        {problem && <Notice level="bad">{problem}</Notice>}
        {token && !problem && <Notice level="good"><Marked text={props.said} /><pre class="token" tabIndex={0} aria-label={t("begin.token")}><code>{token}</code></pre></Notice>}
      </div>
    </>
  );
}

function Used({ wanted, button }: { wanted: TokenKind; button: string }) {
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const kind = tokenKind(token);
  const otherWay = kind !== "" && kind !== wanted ? t(wanted === "new" ? "cluster.token.is.ours" : "begin.token.is.new") : "";
  const field = problem instanceof Problem ? problem.fields["token"] : undefined;
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await api.cluster.join(token.trim());
      await readCluster();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  const leads = tokenAddress(token);
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <TextField label={t("begin.token")} value={token} onInput={setToken} mono required error={field ?? (otherWay || undefined)}
        help={leads ? t("begin.token.leads", { address: leads }) : token.trim() ? t("begin.token.short") : t("begin.token.help")} />
      <div class="said">{problem !== null && !field && <Notice level="bad" role="alert">{sentenceOf(problem)}</Notice>}</div>
      <Button kind="primary" type="submit" busy={busy} disabled={!token.trim() || otherWay !== ""}>{button}</Button>
    </form>
  );
}
