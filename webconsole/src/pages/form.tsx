// The form of userconfig.xml: what is changed most, each field an attribute of the text beside it.
import { type Key, t, word } from "../i18n/index.ts";
import * as xmlform from "../model/xmlform.ts";
import { Button, Choice, TextField } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";

interface Row {
  element: string;
  attribute: string;
  key: Key;
  options?: string[];
  otherwise: string;
}

const ROWS: { title: Key; rows: Row[] }[] = [
  {
    title: "form.service",
    rows: [
      { element: "service", attribute: "failover", key: "form.failover", options: ["on", "off"], otherwise: "on" },
      { element: "service", attribute: "defaultprim", key: "form.defaultprim", otherwise: "alone" },
      { element: "service", attribute: "maxloop", key: "form.maxloop", otherwise: "3" },
      { element: "service", attribute: "boot", key: "form.boot", options: ["on", "off", "auto", "ignore"], otherwise: "ignore" },
      { element: "heart", attribute: "profile", key: "form.profile", options: ["", "fast", "standard", "safekit"], otherwise: "" },
    ],
  },
  {
    title: "form.address",
    rows: [{ element: "virtual_addr", attribute: "addr", key: "form.vip", otherwise: "" }],
  },
  {
    title: "form.replication",
    rows: [
      { element: "rfs", attribute: "barrier", key: "form.barrier", options: ["write", "fsync"], otherwise: "write" },
      { element: "rfs", attribute: "async", key: "form.async", options: ["second", "none"], otherwise: "second" },
      { element: "rfs", attribute: "policy", key: "form.policy", options: ["keep-prim", "ask"], otherwise: "keep-prim" },
      { element: "rfs", attribute: "reiallowedbw", key: "form.bandwidth", otherwise: "" },
    ],
  },
];

export function Form(props: { xml: string; onChange: (xml: string) => void; errors?: Record<string, string> }) {
  const { xml, onChange } = props;
  return (
    <div class="form">
      {ROWS.map((group) => (
        <fieldset key={group.title}>
          <legend>{t(group.title)}</legend>
          {group.rows.filter((row) => xmlform.all(xml, row.element).length > 0).map((row) => (
            <FormRow key={row.attribute} row={row} xml={xml} onChange={onChange} error={props.errors?.[`${row.element}.${row.attribute}`]} />
          ))}
          {group.title === "form.address" && xmlform.all(xml, "virtual_addr").length === 0 && <p class="help">{t("form.vip.none")}</p>}
          {group.title === "form.replication" && <Directories xml={xml} onChange={onChange} />}
        </fieldset>
      ))}
    </div>
  );
}

function FormRow(props: { row: Row; xml: string; onChange: (xml: string) => void; error?: string }) {
  const { row, xml } = props;
  const value = xmlform.expanded(xml, xmlform.value(xml, row.element, row.attribute) ?? row.otherwise);
  const change = (next: string) => props.onChange(xmlform.withFilled(xml, row.element, row.attribute, next));
  const help = t(`${row.key}.help` as Key);
  if (!row.options) return <TextField label={t(row.key)} value={value} onInput={change} help={help} error={props.error} mono />;
  const options = row.options.map((one) => ({ value: one, label: row.attribute === "boot" ? word("boot", one) : one || t("form.default") }));
  return <Choice label={t(row.key)} value={value} options={options} onChange={change} help={help} error={props.error} />;
}

function Directories(props: { xml: string; onChange: (xml: string) => void }) {
  const found = xmlform.all(props.xml, "replicated");
  return (
    <div class="directories">
      <h4>{t("form.directories")}</h4>
      {found.map((one, index) => (
        <div class="directory" key={index}>
          <TextField label={t("form.directory", { n: index + 1 })} value={xmlform.expanded(props.xml, one.attributes["dir"] ?? "")} mono
            onInput={(next) => props.onChange(xmlform.withFilled(props.xml, "replicated", "dir", next, index))} />
          <Button kind="quiet" label={t("form.directory.remove", { dir: one.attributes["dir"] ?? "" })} disabled={found.length < 2}
            onClick={() => props.onChange(xmlform.withoutElement(props.xml, "replicated", index))}>
            <Icon name="close" />
          </Button>
        </div>
      ))}
      {found.length > 0 && (
        <Button onClick={() => props.onChange(xmlform.withElementAfter(props.xml, "replicated", found.length - 1, '<replicated dir="" mode="read_only"/>'))}>
          <Icon name="plus" /> {t("form.directory.add")}
        </Button>
      )}
    </div>
  );
}
