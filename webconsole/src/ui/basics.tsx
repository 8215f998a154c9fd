// The small parts that pages are made of. They know the language and the time, no module.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { lang, t, word } from "../i18n/index.ts";
import type { Told } from "../i18n/said.ts";
import * as figures from "../model/figures.ts";
import type { Readiness, Word } from "../model/types.ts";
import { now } from "../store.ts";
import { Icon } from "./icons.tsx";
import { type Shown, shown } from "./words.tsx";

/** SafeKit's word and readiness: shape, word and colour say the same. */
export function StateChip(props: { word: Word; readiness: Readiness; reachable?: boolean; small?: boolean }) {
  const silent = props.reachable === false;
  const readiness = silent ? "Unknown" : props.readiness;
  const label = silent ? t("state.silent") : props.word;
  return (
    <span class={`chip ${readiness}${props.small ? " small" : ""}`} title={word("readiness", readiness)}>
      <Icon name={readiness} />
      <b>{label}</b>
      <span class={props.small ? "sr" : "chip-more"}>{word("readiness", readiness)}</span>
    </span>
  );
}

/** A figure with its age: grey with "as of 14:02:11" once it is not refreshed any more. */
export function Figure(props: { text: string; label: string; seen: number | null; reachable?: boolean }) {
  const age = figures.age(props.seen, now.value, props.reachable ?? true);
  const none = props.text.startsWith(figures.NO_FIGURE);
  return (
    <div class={`figure${age.stale ? " stale" : ""}`}>
      <dt>{props.label}</dt>
      <dd>
        <span class="value">{props.text}</span>
        {age.stale && age.at !== null && !none && (
          <span class="as-of">{t("figure.as.of", { time: figures.clock(age.at, lang.value) })}</span>
        )}
      </dd>
    </div>
  );
}

export function Bar(props: { percent: number | null; label: string }) {
  const known = props.percent !== null;
  return (
    <div
      class={`bar${known ? "" : " unknown"}`}
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(known ? { "aria-valuenow": props.percent ?? 0 } : {})}
    >
      <div style={{ width: `${known ? props.percent : 35}%` }} />
    </div>
  );
}

export function Button(props: {
  onClick?: () => void;
  kind?: "primary" | "danger" | "plain" | "quiet";
  busy?: boolean;
  disabled?: boolean;
  title?: string;
  type?: "button" | "submit";
  label?: string;
  children: ComponentChildren;
}) {
  return (
    <button
      type={props.type ?? "button"}
      class={`button ${props.kind ?? "plain"}`}
      onClick={props.onClick}
      disabled={props.disabled || props.busy}
      aria-busy={props.busy ? "true" : undefined}
      title={props.title}
      aria-label={props.label}
    >
      {props.children}
    </button>
  );
}

/** A label, a control, help, and the error at the field. The control gets the id. */
export function Field(props: {
  label: string;
  help?: string;
  error?: Shown | Told | undefined;
  children: (attributes: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ComponentChildren;
}) {
  const id = useId();
  const about = `${id}-about`;
  return (
    <div class={`field${props.error ? " wrong" : ""}`}>
      <label for={id}>{props.label}</label>
      {props.children({ id, "aria-describedby": about, "aria-invalid": Boolean(props.error) })}
      <div id={about} class="about">
        {props.error ? (
          <span class="field-error" role="alert">
            <Icon name="bad" /> {typeof props.error === "object" && "text" in props.error ? shown(props.error) : props.error}
          </span>
        ) : (
          props.help && <span class="help">{props.help}</span>
        )}
      </div>
    </div>
  );
}

export function TextField(props: {
  label: string;
  value: string;
  onInput: (value: string) => void;
  help?: string;
  error?: Shown | Told | undefined;
  type?: string;
  autocomplete?: string;
  placeholder?: string;
  autofocus?: boolean;
  list?: string;
  required?: boolean;
  mono?: boolean;
  disabled?: boolean;
}) {
  return (
    <Field label={props.label} help={props.help} error={props.error}>
      {(attributes) => (
        <input
          {...attributes}
          class={props.mono ? "mono" : ""}
          type={(props.type ?? "text") as "text"}
          value={props.value}
          autocomplete={(props.autocomplete ?? "off") as "off"}
          placeholder={props.placeholder}
          autoFocus={props.autofocus}
          list={props.list}
          required={props.required}
          disabled={props.disabled}
          spellcheck={false}
          autocapitalize="none"
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export function Choice(props: {
  label: string;
  value: string;
  options: { value: string; label: string }[];
  onChange: (value: string) => void;
  help?: string;
  error?: Shown | Told | undefined;
}) {
  return (
    <Field label={props.label} help={props.help} error={props.error}>
      {(attributes) => (
        <select {...attributes} value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
          {props.options.map((one) => (
            <option key={one.value} value={one.value}>
              {one.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function Check(props: { label: string; checked: boolean; onChange: (on: boolean) => void; help?: string; disabled?: boolean }) {
  const id = useId();
  return (
    <div class="check">
      <input
        id={id}
        type="checkbox"
        checked={props.checked}
        disabled={props.disabled}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <label for={id}>
        {props.label}
        {props.help && <span class="help">{props.help}</span>}
      </label>
    </div>
  );
}

/** A message that stays where it is until its cause is gone. */
export function Notice(props: { level: "good" | "warn" | "bad" | "none"; children: ComponentChildren; role?: "status" | "alert" }) {
  return (
    <div class={`notice ${props.level}`} role={props.role}>
      <Icon name={props.level} />
      <div>{props.children}</div>
    </div>
  );
}

export function Panel(props: { title: string; id?: string; tools?: ComponentChildren; children: ComponentChildren; class?: string }) {
  const id = useId();
  return (
    <section class={`panel ${props.class ?? ""}`} aria-labelledby={id} id={props.id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.tools && <div class="tools">{props.tools}</div>}
      </header>
      {props.children}
    </section>
  );
}

export function Empty(props: { children: ComponentChildren }) {
  return <div class="empty">{props.children}</div>;
}
