// Who else's word is taken at the door: an LDAP directory, an OpenID Connect provider. The same on
// both nodes. Secrets are never shown again; an empty one stays as it is.
import { useEffect, useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { type Json, map, text } from "../api/json.ts";
import { type Key, t } from "../i18n/index.ts";
import type { Told } from "../i18n/said.ts";
import { said } from "../model/said.ts";
import { unsaved } from "../router.ts";
import { Button, Check, Notice, Panel, TextField } from "../ui/basics.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { live, type Shown, Words } from "../ui/words.tsx";

type Part = "ldap" | "oidc";
interface Row {
  name: string;
  key: Key;
  secret?: boolean;
  example?: string;
}

const ROWS: Record<Part, Row[]> = {
  ldap: [
    { name: "url", key: "signin.ldap.url", example: "ldaps://ldap.example.org" },
    { name: "bind_dn", key: "signin.ldap.bind", example: "cn=mirror,dc=example,dc=org" },
    { name: "bind_password", key: "login.password", secret: true },
    { name: "base_dn", key: "signin.ldap.base", example: "ou=people,dc=example,dc=org" },
    { name: "user_filter", key: "signin.ldap.filter", example: "(uid={name})" },
    { name: "group_base_dn", key: "signin.ldap.groups", example: "ou=groups,dc=example,dc=org" },
  ],
  oidc: [
    { name: "issuer", key: "signin.oidc.issuer", example: "https://login.example.org" },
    { name: "client_id", key: "signin.oidc.client" },
    { name: "client_secret", key: "notices.secret", secret: true },
    { name: "name_claim", key: "signin.oidc.name", example: "preferred_username" },
    { name: "groups_claim", key: "signin.oidc.groups", example: "groups" },
    { name: "label", key: "signin.oidc.label" },
  ],
};
const ROLES = ["admin", "control", "monitor"] as const;

export function SignInPanel() {
  const loaded = useLoaded(api.people.signIn, []);
  const [targets, setTargets] = useState<Json | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [told, setTold] = useState<{ level: "good" | "bad"; text: Shown } | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (loaded.value && !targets) setTargets(map(loaded.value["targets"]));
  }, [loaded.value]);
  const set = (part: Part, change: Json) => {
    unsaved.value = true;
    setTargets((before) => ({ ...before, [part]: { ...map(before?.[part]), ...change } }));
  };
  const save = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setTold(null);
    setProblem(null);
    try {
      await api.people.saveSignIn(targets ?? {});
      unsaved.value = false;
      setTold({ level: "good", text: live(() => t("signin.saved")) });
      loaded.again();
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
      setTold({ level: "bad", text: sentenceOf(error) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel title={t("signin.title")}>
      <p class="help">{t("signin.lead")}</p>
      {loaded.problem && <Notice level="bad" role="alert">{loaded.problem}</Notice>}
      {loaded.value && targets && (
        <form onSubmit={save} noValidate>
          <div class="notices-form">
            {(["ldap", "oidc"] as const).map((part) => (
              <Target key={part} part={part} values={map(targets[part])} set={set} secretSet={loaded.value?.[part === "ldap" ? "ldap_password_set" : "oidc_secret_set"] === true}
                at={(field) => problem?.fields[`${part}.${field}`]} redirect={text(loaded.value?.["redirect"])} />
            ))}
          </div>
          <div class="said" aria-live="polite">{told && <Notice level={told.level}>{told.text}</Notice>}</div>
          <div class="config-foot"><Button kind="primary" type="submit" busy={busy}>{t("files.save")}</Button></div>
        </form>
      )}
      {text(map(map(loaded.value?.["targets"])["ldap"])["url"]) && <Try />}
    </Panel>
  );
}

function Target(props: { part: Part; values: Json; set: (part: Part, change: Json) => void; secretSet: boolean; at: (field: string) => Told | undefined; redirect: string }) {
  const { part, values, set, at } = props;
  const roles = map(values["roles"]);
  const groups = (role: string) => (Array.isArray(roles[role]) ? (roles[role] as unknown[]).join("; ") : text(roles[role]));
  return (
    <fieldset>
      <legend>{t(`signin.${part}`)}</legend>
      {ROWS[part].map((row) => (
        <TextField key={row.name} label={t(row.key)} value={text(values[row.name])} mono placeholder={row.example} error={at(row.name)}
          {...(row.secret ? { type: "password", autocomplete: "new-password", help: props.secretSet ? t("notices.secret.set") : undefined } : {})}
          onInput={(value) => set(part, { [row.name]: row.secret ? value || null : value })} />
      ))}
      {part === "ldap" && <Check label={t("signin.ldap.starttls")} checked={values["starttls"] === true} onChange={(starttls) => set(part, { starttls })} />}
      {ROLES.map((role) => (
        <TextField key={role} label={t("signin.role", { role: role[0]?.toUpperCase() + role.slice(1) })} value={groups(role)} mono error={at(`roles.${role}`)}
          onInput={(value) => set(part, { roles: { ...roles, [role]: value.split(";").map((one) => one.trim()).filter(Boolean) } })} />
      ))}
      {part === "oidc" && props.redirect && <p class="help">{t("signin.oidc.redirect")} <code>{props.redirect}</code></p>}
    </fieldset>
  );
}

/** A name and a password, with the directory as it is saved. */
function Try() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [told, setTold] = useState<{ level: "good" | "bad"; text: Shown } | null>(null);
  const run = async (event: Event) => {
    event.preventDefault();
    try {
      const found = await api.people.tryLdap(name, password);
      setTold({ level: found["role"] ? "good" : "bad", text: <>{text(found["role"])} <Words of={said(found["said"], text(found["sentence"]))} /></> });
    } catch (error) {
      setTold({ level: "bad", text: sentenceOf(error) });
    }
  };
  return (
    <form class="row-form" onSubmit={run} noValidate aria-label={t("signin.try")}>
      <TextField label={t("login.user")} value={name} onInput={setName} mono />
      <TextField label={t("login.password")} value={password} onInput={setPassword} type="password" autocomplete="off" />
      <Button type="submit" disabled={!name || !password}>{t("signin.try")}</Button>
      <div class="said" aria-live="polite">{told && <Notice level={told.level}>{told.text}</Notice>}</div>
    </form>
  );
}
