// No cluster yet: the first node confirms its addresses; another one brings a token of the first.
import { useState } from "preact/hooks";
import { Problem } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { t } from "../i18n/index.ts";
import { firstXml } from "../model/clusterform.ts";
import type { ClusterView } from "../model/types.ts";
import { readCluster } from "../store.ts";
import { Button, Check, Notice, Panel, TextField } from "../ui/basics.tsx";
import { sentenceOf, useLoaded } from "../ui/load.ts";
import { Join } from "./tokens.tsx";
import type { Shown } from "../ui/words.tsx";

const NAME = /^[\w.:-]{1,64}$/;

export function Begin({ seen }: { seen: ClusterView }) {
  const loaded = useLoaded(api.host.interfaces, []);
  const found = loaded.value ?? [];
  return (
    <div class="two-ways">
      <First host={seen.nodes.find((one) => one.self)?.host ?? ""} found={found} problem={loaded.problem} />
      <Join addresses={found.map((one) => one.address)} />
    </div>
  );
}

/** A work whose refusal stands at its fields, or below them when it is of none. */
function useAttempt(work: () => Promise<unknown>) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const fields = problem instanceof Problem ? problem.fields : {};
  const run = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await work();
      await readCluster();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  const said = problem && Object.keys(fields).length === 0 ? sentenceOf(problem) : "";
  return { busy, fields, said, run };
}

interface Found {
  name: string;
  address: string;
  network: string;
}

function First({ host, found, problem }: { host: string; found: Found[]; problem: Shown }) {
  const [name, setName] = useState(host);
  const [without, setWithout] = useState<string[]>([]);
  const [other, setOther] = useState("");
  const [tried, setTried] = useState(false);
  const chosen = [...found.map((one) => one.address).filter((one) => !without.includes(one)), ...other.split(/[\s,]+/).filter(Boolean)];
  const { busy, fields, said, run } = useAttempt(() => api.cluster.init(name.trim(), firstXml(name, chosen)));
  const misnamed = !name.trim() ? t("begin.name.empty") : NAME.test(name.trim()) ? "" : t("begin.name.letters");
  const submit = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (!misnamed && chosen.length) void run();
  };
  return (
    <Panel title={t("begin.first")}>
      <form onSubmit={submit} noValidate>
        <p class="lead">{t("begin.first.help")}</p>
        <TextField label={t("begin.name")} value={name} onInput={setName} error={fields["node"] ?? ((tried && misnamed) || undefined)} help={t("begin.name.help")} mono required />
        <fieldset class="addresses">
          <legend>{t("begin.addresses")}</legend>
          {problem && <Notice level="warn">{problem}</Notice>}
          {found.map((one) => (
            <Check key={one.address} label={one.address} help={`${one.name} · ${one.network}`} checked={!without.includes(one.address)}
              onChange={(on) => setWithout(on ? without.filter((known) => known !== one.address) : [...without, one.address])} />
          ))}
          <p class="help">{t("begin.addresses.help")}</p>
        </fieldset>
        <TextField label={t("begin.other")} value={other} onInput={setOther} help={t("begin.other.help")} mono
          error={tried && !chosen.length ? t("begin.addresses.none") : undefined} />
        <div class="said">{said && <Notice level="bad" role="alert">{said}</Notice>}</div>
        <Button kind="primary" type="submit" busy={busy}>{t("begin.confirm")}</Button>
      </form>
    </Panel>
  );
}
