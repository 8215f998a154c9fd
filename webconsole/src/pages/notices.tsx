// Notifications: where this node sends them, whether they go out, and what was told.
import { useEffect, useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { type Json, list, map, num, text, texts } from "../api/json.ts";
import { lang, t, word } from "../i18n/index.ts";
import { moment } from "../model/figures.ts";
import { said } from "../model/said.ts";
import { unsaved } from "../router.ts";
import { cluster, now, session } from "../store.ts";
import { Button, Check, Choice, Notice, Panel, TextField } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { fromBoth, sentenceOf, useLoaded } from "../ui/load.ts";
import { live, type Shown, Words } from "../ui/words.tsx";

const KINDS = ["state", "split", "disk", "verification", "certificate", "clock", "node"] as const;
const SECURITY = ["none", "starttls", "tls"] as const;

export function Notices() {
  const nodes = cluster.value?.nodes.filter((one) => one.reachable).map((one) => one.name) ?? [];
  const [node, setNode] = useState("");
  const at = node || session.value?.node || "";
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t("nav.notices")}</h1>
        {nodes.length > 1 && <Choice label={t("details.node")} value={at} options={nodes.map((one) => ({ value: one, label: one }))} onChange={setNode} />}
      </div>
      {session.value?.role === "Admin" && <Targets key={at} node={at} />}
      <Told nodes={nodes.length ? nodes : [at]} />
    </div>
  );
}

function Targets({ node }: { node: string }) {
  const loaded = useLoaded(() => api.notices.targets(node), [node]);
  const [targets, setTargets] = useState<Json | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [answer, setAnswer] = useState<{ level: "good" | "bad"; text: Shown } | null>(null);
  const [busy, setBusy] = useState("");
  useEffect(() => {
    if (loaded.value && !targets) setTargets(map(loaded.value["targets"]));
  }, [loaded.value]);
  if (loaded.problem) return <Notice level="bad" role="alert">{loaded.problem}</Notice>;
  if (!loaded.value || !targets) return <p class="muted" role="status">{t("load.reading")}</p>;
  const [mail, webhook, command] = [map(targets["mail"]), map(targets["webhook"]), map(targets["command"])];
  const set = (part: string, change: Json) => {
    unsaved.value = true;
    setTargets({ ...targets, [part]: { ...map(targets[part]), ...change } });
  };
  const kinds = texts(targets["kinds"]);
  const act = async (what: "save" | "test") => {
    setBusy(what);
    setAnswer(null);
    setProblem(null);
    try {
      if (what === "save") {
        await api.notices.save(node, targets);
        unsaved.value = false;
        setAnswer({ level: "good", text: live(() => t("notices.saved", { node })) });
      } else {
        const results = await api.notices.test(node);
        const failed = results.filter((one) => text(one["failed"]));
        setAnswer(failed.length ? { level: "bad", text: <>{failed.map((one) => <span key={text(one["channel"])} class="pair-address"><b>{word("sent", text(one["channel"]))}</b> <Words of={said(one["failed_said"], text(one["failed"]))} /></span>)}</> } : { level: results.length ? "good" : "bad", text: live(() => t(results.length ? "notices.tested" : "notices.none.set")) });
      }
      loaded.again();
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
      setAnswer({ level: "bad", text: sentenceOf(error) });
    } finally {
      setBusy("");
    }
  };
  const at = (field: string) => problem?.fields[field];
  return (
    <Panel title={t("notices.where", { node })}>
      <form onSubmit={(event) => { event.preventDefault(); void act("save"); }} noValidate>
        <div class="notices-form">
          <fieldset>
            <legend>{t("notices.mail")}</legend>
            <TextField label={t("notices.server")} value={text(mail["server"])} mono placeholder="mail.example.org" onInput={(server) => set("mail", { server })} error={at("mail.server")} help={t("notices.server.help")} />
            <div class="row-form">
              <TextField label={t("notices.port")} value={text(mail["port"], "25")} mono onInput={(port) => set("mail", { port: Number(port) || 0 })} error={at("mail.port")} />
              <Choice label={t("notices.security")} value={text(mail["security"], "none")} options={SECURITY.map((one) => ({ value: one, label: word("notices.security", one) }))} onChange={(security) => set("mail", { security })} />
            </div>
            <TextField label={t("notices.sender")} value={text(mail["sender"])} mono onInput={(sender) => set("mail", { sender })} error={at("mail.sender")} />
            <TextField label={t("notices.recipients")} value={texts(mail["recipients"]).join(", ")} mono onInput={(all) => set("mail", { recipients: all.split(",").map((one) => one.trim()).filter(Boolean) })} error={at("mail.recipients")} help={t("notices.recipients.help")} />
            <TextField label={t("login.user")} value={text(mail["user"])} mono autocomplete="off" onInput={(user) => set("mail", { user })} error={at("mail.user")} />
            <TextField label={t("login.password")} value={text(mail["password"])} type="password" autocomplete="new-password" onInput={(password) => set("mail", { password: password || null })} help={loaded.value["mail_password_set"] === true ? t("notices.secret.set") : undefined} />
          </fieldset>
          <fieldset>
            <legend>{t("notices.webhook")}</legend>
            <TextField label={t("notices.url")} value={text(webhook["url"])} mono placeholder="https://" onInput={(url) => set("webhook", { url })} error={at("webhook.url")} />
            <TextField label={t("notices.secret")} value={text(webhook["secret"])} type="password" autocomplete="new-password" onInput={(secret) => set("webhook", { secret: secret || null })} help={loaded.value["webhook_secret_set"] === true ? t("notices.secret.set") : t("notices.secret.help")} />
            <TextField label={t("notices.command")} value={text(command["path"])} mono placeholder="/usr/local/bin/tell" onInput={(path) => set("command", { path })} error={at("command.path")} help={t("notices.command.help")} />
          </fieldset>
          <fieldset>
            <legend>{t("notices.kinds")}</legend>
            {KINDS.map((one) => (
              <Check key={one} label={t(`notices.kind.${one}`)} checked={kinds.length === 0 || kinds.includes(one)}
                onChange={(on) => {
                  const chosen = kinds.length ? kinds : [...KINDS];
                  unsaved.value = true;
                  setTargets({ ...targets, kinds: on ? [...chosen, one] : chosen.filter((other) => other !== one) });
                }} />
            ))}
            <ul class="node-list">
              {list(loaded.value["channels"]).map((one) => (
                <li key={text(one["channel"])} class={text(one["failed"]) ? "silent" : ""}>
                  <Icon name={text(one["failed"]) ? "NotReady" : num(one["sent_us"]) ? "Ready" : "Unknown"} /><b>{text(one["channel"])}</b>
                  <span>{text(one["failed"]) ? <Words of={said(one["failed_said"], text(one["failed"]))} /> : num(one["sent_us"]) ? t("notices.sent", { time: moment((num(one["sent_us"]) ?? 0) / 1000, now.value, lang.value) }) : t("notices.not.yet")}</span>
                </li>
              ))}
            </ul>
          </fieldset>
        </div>
        <div class="said" aria-live="polite">{answer && <Notice level={answer.level}>{answer.text}</Notice>}</div>
        <div class="config-foot">
          <Button onClick={() => void act("test")} busy={busy === "test"}>{t("notices.test")}</Button>
          <Button kind="primary" type="submit" busy={busy === "save"}>{t("files.save")}</Button>
        </div>
      </form>
    </Panel>
  );
}

function Told({ nodes }: { nodes: string[] }) {
  const loaded = useLoaded(() => fromBoth(nodes, (node) => api.notices.told(node)), [nodes.join()]);
  const all = (loaded.value ?? []).sort((a, b) => (num(b["time_us"]) ?? 0) - (num(a["time_us"]) ?? 0));
  return (
    <Panel title={t("notices.told")} tools={<a href="/api/v1/feed.atom">{t("notices.feed")}</a>}>
      {loaded.problem && <Notice level="bad" role="alert">{loaded.problem}</Notice>}
      {loaded.value && all.length === 0 && <p class="muted">{t("notices.none")}</p>}
      {all.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("notices.told")}>
          <table class="stack">
            <thead><tr><th scope="col">{t("audit.when")}</th><th scope="col">{t("details.node")}</th><th scope="col">{t("wizard.module")}</th><th scope="col">{t("notices.reason")}</th></tr></thead>
            <tbody>
              {all.map((one) => (
                <tr key={`${text(one["node"])}${text(one["id"])}`}>
                  <td>{moment((num(one["time_us"]) ?? 0) / 1000, now.value, lang.value)}</td>
                  <td>{text(one["node"])}</td><td>{text(one["service"])}</td>
                  <td class={`resource sentence ${one["up"] === true ? "up" : "down"}`}><Icon name={one["up"] === true ? "Ready" : "NotReady"} /> <Words of={said(one["said"], text(one["reason"]))} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
