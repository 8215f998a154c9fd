// Signing in, and the first password by the one-time link that the node printed.
import { useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { t } from "../i18n/index.ts";
import { place } from "../router.ts";
import { begin, end, session } from "../store.ts";
import { Button, Notice, TextField } from "../ui/basics.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { Preferences } from "./shell.tsx";
import { PASSWORD_LENGTH_MIN } from "./ownpassword.tsx";
import type { Shown } from "../ui/words.tsx";


export function Login() {
  const link = place.value.path[0] === "link" ? (place.value.path[1] ?? "") : "";
  return (
    <div class="door">
      <div class="door-top"><Preferences /></div>
      <main id="main" class="door-card" tabIndex={-1}>
        <h1><img src="/favicon.svg" alt="" width="30" height="30" /> mirror</h1>
        {link ? <First link={link} /> : <SignIn />}
      </main>
    </div>
  );
}

/** The session ended while a page was open: the page waits behind, with what is typed in it. */
export function Again() {
  return (
    <Dialog title={t("login.again")} onClose={end}>
      <SignIn user={session.value?.user ?? ""} />
    </Dialog>
  );
}

function SignIn(props: { user?: string }) {
  const [user, setUser] = useState(props.user ?? "");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [said, setSaid] = useState<Shown>("");
  const [busy, setBusy] = useState(false);
  const provider = useLoaded(api.session.provider, []);
  const [first, second, code] = place.value.path;
  const failed = first === "sign-in" && second === "failed" ? t(code === "no-role" ? "login.no.role" : "login.provider.failed", { code: code ?? "" }) : "";
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setSaid("");
    setProblem(null);
    try {
      const opened = await api.session.open(user.trim(), password);
      if (opened) begin(opened);
    } catch (error) {
      if (error instanceof Problem && Object.keys(error.fields).length) setProblem(error);
      else setSaid(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={submit}>
      <p class="lead">{t(props.user ? "login.again.lead" : "login.lead")}</p>
      <TextField label={t("login.user")} value={user} onInput={setUser} autocomplete="username" autofocus={!props.user} required error={problem?.fields["name"]} />
      <TextField label={t("login.password")} value={password} onInput={setPassword} type="password" autocomplete="current-password" autofocus={Boolean(props.user)} required error={problem?.fields["password"]} />
      <div class="said">{(said || failed) && <Notice level="bad" role="alert">{said || failed}</Notice>}</div>
      <Button kind="primary" type="submit" busy={busy}>{t("login.button")}</Button>
      {provider.value && <a class="button plain provider" href="/api/v1/session/oidc/start">{t("login.provider", { provider: provider.value })}</a>}
      <details class="teach">
        <summary>{t("login.no.password")}</summary>
        <p>{t("login.link.how")}</p>
        <pre><code>mirror console link</code></pre>
      </details>
    </form>
  );
}

function First(props: { link: string }) {
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [said, setSaid] = useState<Shown>("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const short = password.length < PASSWORD_LENGTH_MIN;
  const differs = password !== again;
  const submit = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (short || differs) return;
    setBusy(true);
    try {
      const opened = await api.session.byLink(props.link, password);
      location.hash = "#/modules";
      if (opened) begin(opened);
    } catch (error) {
      setSaid(sentenceOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={submit} noValidate>
      <h2>{t("first.title")}</h2>
      <p class="lead">{t("first.lead")}</p>
      <TextField label={t("first.password")} value={password} onInput={setPassword} type="password" autocomplete="new-password" autofocus required
        help={t("first.password.help", { n: PASSWORD_LENGTH_MIN })}
        error={tried && short ? t("first.password.short", { n: PASSWORD_LENGTH_MIN, have: password.length }) : undefined} />
      <TextField label={t("first.again")} value={again} onInput={setAgain} type="password" autocomplete="new-password" required
        error={tried && differs ? t("first.again.differs") : undefined} />
      <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
      <Button kind="primary" type="submit" busy={busy}>{t("first.button")}</Button>
    </form>
  );
}
