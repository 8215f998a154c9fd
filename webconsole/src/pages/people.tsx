// Users, their roles, and bearer tokens for machines.
import { useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { num, text } from "../api/json.ts";
import { lang, t } from "../i18n/index.ts";
import { moment } from "../model/figures.ts";
import { now, session } from "../store.ts";
import { Button, Choice, Notice, Panel, TextField } from "../ui/basics.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { SignInPanel } from "./signin.tsx";
import { PASSWORD_LENGTH_MIN } from "./ownpassword.tsx";
import type { Shown } from "../ui/words.tsx";

const ROLES = ["Monitor", "Control", "Admin"] as const;
const roles = () => ROLES.map((one) => ({ value: one, label: `${one}: ${t(`role.${one}`)}` }));

export function People() {
  return (
    <div class="page">
      <h1>{t("nav.people")}</h1>
      <Users />
      <Tokens />
      <SignInPanel />
    </div>
  );
}

function Users() {
  const loaded = useLoaded(api.people.users, []);
  const [adding, setAdding] = useState(false);
  const [said, setSaid] = useState<Shown>("");
  const attempt = async (work: () => Promise<unknown>) => {
    setSaid("");
    try {
      await work();
      loaded.again();
    } catch (error) {
      setSaid(sentenceOf(error));
    }
  };
  return (
    <Panel title={t("users.title")} tools={<Button kind="primary" onClick={() => setAdding(true)}>{t("users.add")}</Button>}>
      {loaded.problem && <Notice level="bad" role="alert">{loaded.problem}</Notice>}
      <div class="scroll" tabIndex={0} role="region" aria-label={t("users.title")}>
        <table class="stack">
          <thead><tr><th scope="col">{t("login.user")}</th><th scope="col">{t("users.role")}</th><th scope="col">{t("users.changed")}</th><th scope="col"><span class="sr">{t("users.remove")}</span></th></tr></thead>
          <tbody>
            {(loaded.value ?? []).map((one) => {
              const name = text(one["name"]);
              const self = name === session.value?.user;
              return (
                <tr key={name}>
                  <th scope="row">{name}{self && <span class="tag">{t("users.you")}</span>}</th>
                  <td>
                    <select aria-label={t("users.role.of", { user: name })} value={text(one["role"])} disabled={self} onChange={(event) => { const role = event.currentTarget.value; void attempt(() => api.people.putUser(name, role, null)); }}>
                      {ROLES.map((role) => <option key={role}>{role}</option>)}
                    </select>
                  </td>
                  <td data-label={t("users.changed")}>{moment((num(one["changed_us"]) ?? 0) / 1000 || null, now.value, lang.value)}</td>
                  <td><Button kind="quiet" disabled={self} label={t("users.remove.of", { user: name })} onClick={() => { if (confirm(t("users.remove.sure", { user: name }))) void attempt(() => api.people.removeUser(name)); }}>{t("users.remove")}</Button></td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
      {adding && <AddUser onClose={() => { setAdding(false); loaded.again(); }} />}
    </Panel>
  );
}

function AddUser(props: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState("Monitor");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [said, setSaid] = useState<Shown>("");
  const submit = async (event: Event) => {
    event.preventDefault();
    setProblem(null);
    setSaid("");
    try {
      await api.people.putUser(name.trim(), role, password);
      props.onClose();
    } catch (error) {
      if (error instanceof Problem && Object.keys(error.fields).length) setProblem(error);
      else setSaid(sentenceOf(error));
    }
  };
  return (
    <Dialog title={t("users.add")} onClose={props.onClose}>
      <form onSubmit={submit}>
        <TextField label={t("login.user")} value={name} onInput={setName} error={problem?.fields["name"]} autofocus required />
        <TextField label={t("login.password")} value={password} onInput={setPassword} type="password" autocomplete="new-password" error={problem?.fields["password"]} help={t("first.password.help", { n: PASSWORD_LENGTH_MIN })} required />
        <Choice label={t("users.role")} value={role} options={roles()} onChange={setRole} error={problem?.fields["role"]} />
        <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
        <footer><Button onClick={props.onClose}>{t("dialog.cancel")}</Button><Button kind="primary" type="submit">{t("users.add")}</Button></footer>
      </form>
    </Dialog>
  );
}

function Tokens() {
  const loaded = useLoaded(api.people.tokens, []);
  const [label, setLabel] = useState("");
  const [role, setRole] = useState("Monitor");
  const [days, setDays] = useState("90");
  const [made, setMade] = useState("");
  const [said, setSaid] = useState<Shown>("");
  const submit = async (event: Event) => {
    event.preventDefault();
    setSaid("");
    try {
      const answer = await api.people.addToken(label.trim(), role, Number(days));
      setMade(text(answer["secret"]));
      setLabel("");
      loaded.again();
    } catch (error) {
      setSaid(sentenceOf(error));
    }
  };
  return (
    <Panel title={t("tokens.title")}>
      <p class="help">{t("tokens.lead")}</p>
      <form class="row-form" onSubmit={submit}>
        <TextField label={t("tokens.label")} value={label} onInput={setLabel} placeholder="prometheus" required />
        <Choice label={t("users.role")} value={role} options={ROLES.map((one) => ({ value: one, label: one }))} onChange={setRole} />
        <Choice label={t("tokens.expiry")} value={days} options={[7, 30, 90, 365].map((one) => ({ value: String(one), label: t("tokens.days", { n: one }) }))} onChange={setDays} />
        <Button kind="primary" type="submit" disabled={!label.trim()}>{t("tokens.add")}</Button>
      </form>
      <div class="said" aria-live="polite">
        {said && <Notice level="bad">{said}</Notice>}
        {made && <Notice level="good">{t("tokens.once")}<pre><code>{made}</code></pre></Notice>}
      </div>
      {(loaded.value ?? []).length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("tokens.title")}>
          <table class="stack">
            <thead><tr><th scope="col">{t("tokens.label")}</th><th scope="col">{t("users.role")}</th><th scope="col">{t("tokens.by")}</th><th scope="col">{t("tokens.used")}</th><th scope="col">{t("tokens.expires")}</th><th scope="col"><span class="sr">{t("users.remove")}</span></th></tr></thead>
            <tbody>
              {(loaded.value ?? []).map((one) => (
                <tr key={text(one["id"])}>
                  <th scope="row">{text(one["label"])}</th><td>{text(one["role"])}</td><td data-label={t("tokens.by")}>{text(one["created_by"])}</td>
                  <td data-label={t("tokens.used")}>{num(one["used_us"]) ? moment((num(one["used_us"]) ?? 0) / 1000, now.value, lang.value) : t("tokens.never")}</td>
                  <td data-label={t("tokens.expires")}>{moment((num(one["expires_us"]) ?? 0) / 1000, now.value, lang.value)}</td>
                  <td><Button kind="quiet" label={t("tokens.revoke.of", { label: text(one["label"]) })} onClick={() => void api.people.removeToken(text(one["id"])).then(loaded.again, (error) => setSaid(sentenceOf(error)))}>{t("tokens.revoke")}</Button></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
