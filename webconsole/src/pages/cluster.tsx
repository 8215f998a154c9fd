// The cluster: its nodes, versions, clocks, certificates; a token for a node that is to join.
import { useEffect, useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { text } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import { duration, NO_FIGURE } from "../model/figures.ts";
import { CERTIFICATE_SOON_MS, CLOCKS_APART_MS } from "../model/incidents.ts";
import type { ClusterNode } from "../model/types.ts";
import { cluster, readCluster, session } from "../store.ts";
import { Button, Notice, Panel, TextField } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { sentenceOf } from "../ui/load.ts";
import { Begin } from "./begin.tsx";
import { ClusterEdit } from "./clusteredit.tsx";
import { LetIn } from "./tokens.tsx";
import { live, type Shown, Words } from "../ui/words.tsx";

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
      {seen && !seen.configured && (admin ? <Begin seen={seen} /> : <Notice level="none">{t("empty.modules.admin")}</Notice>)}
      {seen?.configured && (
        <>
          {seen.sameConfiguration === false && <Notice level="bad">{t("cluster.differs")}</Notice>}
          <Nodes nodes={seen.nodes} admin={admin} />
          {admin && seen.nodes.length < 2 && <Notice level="none">{t("cluster.second")}</Notice>}
          {admin && <ClusterEdit seen={seen} />}
          {admin && seen.makesCertificates && seen.nodes.some((one) => !one.reachable) && <LetIn nodes={seen.nodes} />}
          {admin && !seen.makesCertificates && seen.nodes.filter((one) => !one.self && !one.reachable).map((one) => <NewAuthority key={one.name} lost={one.name} />)}
        </>
      )}
    </div>
  );
}

function Nodes({ nodes, admin }: { nodes: ClusterNode[]; admin: boolean }) {
  return (
    <Panel title={t("cluster.nodes")}>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("cluster.nodes")}>
        <table class="stack">
          <thead><tr><th scope="col">{t("details.node")}</th><th scope="col">{t("details.state")}</th><th scope="col">{t("cluster.addresses")}</th><th scope="col">{t("cluster.version")}</th><th scope="col">{t("cluster.clock")}</th><th scope="col">{t("cluster.cert")}</th></tr></thead>
          <tbody>
            {nodes.map((one) => {
              const apart = one.clockMs !== null && Math.abs(one.clockMs) > CLOCKS_APART_MS;
              return (
                <tr key={one.name}>
                  <th scope="row">{one.name}{one.self && <span class="tag">{t("cluster.this")}</span>}</th>
                  <td class={`resource ${one.reachable ? "up" : "down"}`}>
                    <Icon name={one.reachable ? "Ready" : "NotReady"} /> {t(one.reachable ? "wizard.node.answers" : "state.silent")}
                    {one.observed.text && <small class="muted"><Words of={one.observed} /></small>}
                  </td>
                  <td class="wide">{one.addresses.map((address) => <span key={address.lan} class="pair-address"><code>{address.address}</code> <span class="muted">{address.lan}</span></span>)}</td>
                  <td data-label={t("cluster.version")}>{one.version || NO_FIGURE}</td>
                  <td data-label={t("cluster.clock")} class={`resource ${apart ? "down" : ""}`}>{one.self ? t("cluster.clock.own") : one.clockMs === null ? NO_FIGURE : `${one.clockMs < 0 ? "−" : "+"}${duration(Math.abs(one.clockMs), lang.value)}`}</td>
                  <Certificate node={one} admin={admin} />
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

/** This node cannot let another one in: the one that could does not answer. */
function NewAuthority({ lost }: { lost: string }) {
  const [typed, setTyped] = useState("");
  const [said, setSaid] = useState<Shown>("");
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      await api.cluster.newAuthority(typed);
      await readCluster();
    } catch (error) {
      setSaid(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel title={t("cluster.authority")}>
      <p class="help">{t("cluster.authority.help", { node: lost })}</p>
      <TextField label={t("action.type.name", { module: lost })} value={typed} onInput={setTyped} mono />
      <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
      <Button kind="danger" disabled={typed !== lost} busy={busy} onClick={() => void run()}>{t("cluster.authority.make")}</Button>
    </Panel>
  );
}

/** A new key and certificate, while everything goes on; it says how it went. */
function Certificate({ node, admin }: { node: ClusterNode; admin: boolean }) {
  const [said, setSaid] = useState<{ level: "good" | "bad"; text: Shown } | null>(null);
  const [busy, setBusy] = useState(false);
  const left = node.certificateMs;
  const ending = left !== null && left < CERTIFICATE_SOON_MS;
  const renew = async () => {
    setBusy(true);
    try {
      const by = text((await api.cluster.renew(node.name))["signed_by"]);
      setSaid({ level: "good", text: live(() => t("cluster.cert.renewed", { node: by })) });
      await readCluster();
    } catch (error) {
      setSaid({ level: "bad", text: sentenceOf(error) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <td data-label={t("cluster.cert")} class={`resource ${ending ? "down" : ""}`}>
      {certificateSaid(left)}{" "}
      {admin && node.reachable && <Button kind="quiet" busy={busy} label={t("cluster.cert.renew.node", { node: node.name })} onClick={() => void renew()}>{t("cluster.cert.renew")}</Button>}
      <span aria-live="polite">{said && <small class={said.level}>{said.text}</small>}</span>
    </td>
  );
}

export function certificateSaid(leftMs: number | null): string {
  if (leftMs === null) return t("cluster.cert.unknown");
  return leftMs === Infinity ? t("cluster.cert.never") : t("cluster.cert.left", { duration: duration(leftMs, lang.value) });
}
