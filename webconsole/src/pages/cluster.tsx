// The cluster: making one, joining one, its nodes, networks and certificates; cluster.xml with a
// red mark while it is not saved.
import { useEffect, useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { type Json, text } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import { duration, NO_FIGURE } from "../model/figures.ts";
import type { ClusterNode, ClusterView } from "../model/types.ts";
import { clusterXml } from "../model/wizard.ts";
import { unsaved } from "../router.ts";
import { cluster, readCluster, session } from "../store.ts";
import { Button, Notice, Panel, TextField } from "../ui/basics.tsx";
import { Editor, type LineNote } from "../ui/editor.tsx";
import { Icon } from "../ui/icons.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { Notes, problemNotes, Results } from "./config.tsx";

/** Clocks further apart than this make logs misleading, and SafeKit warns too. */
const CLOCKS_APART_MS = 1000;
const CERTIFICATE_SOON_MS = 30 * 86_400_000;
const READ_EVERY_MS = 3000;

export function Cluster() {
  useEffect(() => {
    void readCluster();
    const timer = setInterval(() => void readCluster(), READ_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const seen = cluster.value;
  const admin = session.value?.role === "Admin";
  return (
    <div class="page">
      <h1>{t("nav.cluster")}</h1>
      {!seen && <p class="muted" role="status">{t("load.reading")}</p>}
      {seen && !seen.configured && (admin ? <Begin /> : <Notice level="none">{t("empty.modules.admin")}</Notice>)}
      {seen?.configured && (
        <>
          {seen.sameConfiguration === false && <Notice level="bad">{t("cluster.differs")}</Notice>}
          <Nodes nodes={seen.nodes} />
          {admin && seen.nodes.some((one) => !one.reachable || !one.version) && <Token nodes={seen.nodes} />}
          <Networks seen={seen} />
          {admin && <Xml seen={seen} />}
        </>
      )}
    </div>
  );
}

/** No cluster yet: the first node says its address; another brings a token of the first. */
function Begin() {
  const [name, setName] = useState("n1");
  const [address, setAddress] = useState("");
  const [peer, setPeer] = useState("n2");
  const [peerAddress, setPeerAddress] = useState("");
  const [network, setNetwork] = useState("default");
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState<{ of: string; error: unknown } | null>(null);
  const attempt = async (of: string, work: () => Promise<unknown>) => {
    setBusy(of);
    setProblem(null);
    try {
      await work();
      await readCluster();
    } catch (error) {
      setProblem({ of, error });
    } finally {
      setBusy("");
    }
  };
  const at = (of: string, field: string) => (problem?.of === of && problem.error instanceof Problem ? problem.error.fields[field] : undefined);
  const whole = (of: string) => (problem?.of === of && !(problem.error instanceof Problem && Object.keys(problem.error.fields).length) ? sentenceOf(problem.error) : "");
  return (
    <div class="two-ways">
      <Panel title={t("begin.first")}>
        <form onSubmit={(event) => { event.preventDefault(); void attempt("init", () => api.cluster.init(name, clusterXml({ name, address, peer, peerAddress, network }))); }}>
          <p class="help">{t("begin.first.help")}</p>
          <TextField label={t("begin.name")} value={name} onInput={setName} error={at("init", "node")} mono required />
          <TextField label={t("begin.address")} value={address} onInput={setAddress} placeholder="10.0.0.11" help={t("begin.address.help")} mono required />
          <TextField label={t("begin.peer.name")} value={peer} onInput={setPeer} mono />
          <TextField label={t("begin.peer.address")} value={peerAddress} onInput={setPeerAddress} placeholder="10.0.0.12" mono />
          <TextField label={t("begin.network")} value={network} onInput={setNetwork} mono />
          <div class="said">{whole("init") && <Notice level="bad" role="alert">{whole("init")}</Notice>}</div>
          <Button kind="primary" type="submit" busy={busy === "init"}>{t("begin.confirm")}</Button>
        </form>
      </Panel>
      <Panel title={t("begin.join")}>
        <form onSubmit={(event) => { event.preventDefault(); void attempt("join", () => api.cluster.join(token.trim())); }}>
          <p class="help">{t("begin.join.help")}</p>
          <pre><code>mirror cluster token n2</code></pre>
          <TextField label={t("begin.token")} value={token} onInput={setToken} error={at("join", "token")} mono required />
          <div class="said">{whole("join") && <Notice level="bad" role="alert">{whole("join")}</Notice>}</div>
          <Button kind="primary" type="submit" busy={busy === "join"} disabled={!token.trim()}>{t("begin.join.button")}</Button>
        </form>
      </Panel>
    </div>
  );
}

function Nodes({ nodes }: { nodes: ClusterNode[] }) {
  return (
    <Panel title={t("cluster.nodes")}>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("cluster.nodes")}>
        <table>
          <thead><tr><th scope="col">{t("details.node")}</th><th scope="col">{t("details.state")}</th><th scope="col">{t("cluster.addresses")}</th><th scope="col">{t("cluster.version")}</th><th scope="col" class="right">{t("cluster.clock")}</th><th scope="col">{t("cluster.cert")}</th></tr></thead>
          <tbody>
            {nodes.map((one) => {
              const apart = one.clockMs !== null && Math.abs(one.clockMs) > CLOCKS_APART_MS;
              const ending = one.certificateMs !== null && one.certificateMs < CERTIFICATE_SOON_MS;
              return (
                <tr key={one.name}>
                  <th scope="row">{one.name}{one.self && <span class="tag">{t("cluster.this")}</span>}</th>
                  <td class={`resource ${one.reachable ? "up" : "down"}`}>
                    <Icon name={one.reachable ? "Ready" : "NotReady"} /> {t(one.reachable ? "wizard.node.answers" : "state.silent")}
                    {one.observed && <small class="muted" lang="en">{one.observed}</small>}
                  </td>
                  <td>{one.addresses.map((address) => <span key={address.lan} class="pair-address"><code>{address.address}</code> <span class="muted">{address.lan}</span></span>)}</td>
                  <td>{one.version || NO_FIGURE}</td>
                  <td class={`right resource ${apart ? "down" : ""}`}>{one.self ? t("cluster.this") : one.clockMs === null ? NO_FIGURE : `${one.clockMs < 0 ? "−" : "+"}${duration(Math.abs(one.clockMs), lang.value)}`}</td>
                  <td class={`resource ${ending ? "down" : ""}`}>{one.certificateMs === null ? t("cluster.cert.unknown") : t("cluster.cert.left", { duration: duration(one.certificateMs, lang.value) })}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <details class="teach">
        <summary>{t("cluster.replace")}</summary>
        <p>{t("cluster.replace.how")}</p>
      </details>
    </Panel>
  );
}

function Token({ nodes }: { nodes: ClusterNode[] }) {
  const other = nodes.find((one) => !one.self)?.name ?? "n2";
  const [name, setName] = useState(other);
  const [made, setMade] = useState<Json | null>(null);
  const [said, setSaid] = useState("");
  const make = async () => {
    setSaid("");
    try {
      setMade(await api.cluster.token(name));
    } catch (error) {
      setSaid(sentenceOf(error));
    }
  };
  return (
    <Panel title={t("cluster.token")}>
      <p class="help">{t("cluster.token.help")}</p>
      <div class="row-form">
        <TextField label={t("begin.name")} value={name} onInput={setName} mono />
        <Button kind="primary" onClick={() => void make()}>{t("cluster.token.make")}</Button>
      </div>
      <div class="said" aria-live="polite">
        {said && <Notice level="bad">{said}</Notice>}
        {made && <Notice level="good">{t("cluster.token.once", { node: name })}<pre><code>{text(made["token"])}</code></pre></Notice>}
      </div>
    </Panel>
  );
}

function Networks({ seen }: { seen: ClusterView }) {
  return (
    <Panel title={t("cluster.networks")}>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("cluster.networks")}>
        <table>
          <thead><tr><th scope="col">{t("details.network")}</th>{seen.nodes.map((one) => <th key={one.name} scope="col">{one.name}</th>)}</tr></thead>
          <tbody>
            {seen.lans.map((lan) => (
              <tr key={lan}>
                <th scope="row">{lan}</th>
                {seen.nodes.map((one) => <td key={one.name}><code>{one.addresses.find((address) => address.lan === lan)?.address ?? NO_FIGURE}</code></td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

/** cluster.xml, with a red mark while what is typed is not saved; saved on both nodes at once. */
function Xml({ seen }: { seen: ClusterView }) {
  const loaded = useLoaded(api.cluster.xml, []);
  const current = text(loaded.value?.["xml"]);
  const [xml, setXml] = useState(current);
  const [said, setSaid] = useState<{ level: "good" | "bad"; text: string } | null>(null);
  const [notes, setNotes] = useState<LineNote[]>([]);
  const [results, setResults] = useState<api.NodeResult[]>([]);
  const [busy, setBusy] = useState(false);
  const dirty = xml !== current;
  useEffect(() => setXml(current), [current]);
  const save = async () => {
    setBusy(true);
    setNotes([]);
    setResults([]);
    setSaid(null);
    try {
      const found = await api.cluster.save(xml, text(loaded.value?.["etag"]), seen.nodes.map((one) => one.name));
      setResults(found);
      const good = found.every((one) => one.ok);
      setSaid({ level: good ? "good" : "bad", text: t(good ? "cluster.saved" : "config.refused") });
      if (good) unsaved.value = false;
      loaded.again();
      await readCluster();
    } catch (error) {
      if (error instanceof Problem) setNotes(problemNotes(error));
      setSaid({ level: "bad", text: sentenceOf(error) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel title="cluster.xml" tools={<span class={`mark ${dirty ? "unsaved" : ""}`} role="status">{dirty ? t("cluster.unsaved") : ""}</span>}>
      {loaded.problem && <Notice level="bad">{loaded.problem}</Notice>}
      <Editor label="cluster.xml" value={xml} language="xml" notes={notes} onInput={(next) => { setXml(next); unsaved.value = true; }} />
      <Notes notes={notes} />
      <div class="config-foot">
        <Button disabled={!dirty} onClick={() => { setXml(current); unsaved.value = false; }}>{t("dialog.cancel")}</Button>
        <Button kind="primary" busy={busy} disabled={!dirty} onClick={() => void save()}>{t("cluster.save")}</Button>
      </div>
      <div class="said" aria-live="polite">{said && <Notice level={said.level}>{said.text}</Notice>}<Results results={results} /></div>
    </Panel>
  );
}
