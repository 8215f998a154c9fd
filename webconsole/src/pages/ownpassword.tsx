// One's own password, changed by oneself: whoever looks only may do that too.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { t } from "../i18n/index.ts";
import { begin } from "../store.ts";
import { Button, Notice, TextField } from "../ui/basics.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { sentenceOf } from "../ui/load.ts";

export const PASSWORD_LENGTH_MIN = 8;
/** Whether the dialog is open. */
export const changingPassword = signal(false);

export function OwnPassword() {
  return changingPassword.value ? <Change onClose={() => { changingPassword.value = false; }} /> : null;
}

function Change({ onClose }: { onClose: () => void }) {
  const [old, setOld] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [problem, setProblem] = useState<unknown>(null);
  const [tried, setTried] = useState(false);
  const [done, setDone] = useState(false);
  const short = password.length < PASSWORD_LENGTH_MIN;
  const refused = problem instanceof Problem ? problem.fields["password"] : undefined;
  const submit = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    setProblem(null);
    if (short || password !== again) return;
    try {
      const opened = await api.session.changePassword(old, password);
      if (opened) begin(opened);
      setDone(true);
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <Dialog title={t("user.password")} onClose={onClose}>
      {done && <><Notice level="good">{t("user.password.done")}</Notice><footer><Button kind="primary" onClick={onClose}>{t("dialog.close")}</Button></footer></>}
      {!done && (
        <form onSubmit={(event) => void submit(event)} noValidate>
          <TextField label={t("user.password.old")} value={old} onInput={setOld} type="password" autocomplete="current-password" autofocus required />
          <TextField label={t("first.password")} value={password} onInput={setPassword} type="password" autocomplete="new-password" required help={t("first.password.help", { n: PASSWORD_LENGTH_MIN })}
            error={tried && short ? t("first.password.short", { n: PASSWORD_LENGTH_MIN, have: password.length }) : refused} />
          <TextField label={t("first.again")} value={again} onInput={setAgain} type="password" autocomplete="new-password" required error={tried && password !== again ? t("first.again.differs") : undefined} />
          <div class="said">{problem !== null && !refused && <Notice level="bad" role="alert">{sentenceOf(problem)}</Notice>}</div>
          <footer><Button onClick={onClose}>{t("dialog.cancel")}</Button><Button kind="primary" type="submit" disabled={!old}>{t("user.password")}</Button></footer>
        </form>
      )}
    </Dialog>
  );
}
