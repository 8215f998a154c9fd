// An editor for XML and scripts. CodeMirror is loaded when it is first needed; until then, and
// should it never come, a plain text area does the same.
import { useEffect, useRef, useState } from "preact/hooks";
import { lang } from "../i18n/index.ts";
import type { Said } from "../model/said.ts";
import { theme } from "../theme.ts";
import type { Handle } from "./editor-codemirror.ts";

export interface LineNote {
  line: number;
  text: string;
  /** Of the text, when it is not the page's. */
  lang?: string | undefined;
  level: "error" | "note";
  /** What the text was made of, when it is known. */
  said?: Said;
  /** Where it is, in place of the line. */
  at?: string;
}

export interface EditorProps {
  label: string;
  value: string;
  language: "xml" | "shell" | "text";
  notes?: LineNote[];
  readOnly?: boolean;
  onInput?: (value: string) => void;
}

export function Editor(props: EditorProps) {
  const holder = useRef<HTMLDivElement>(null);
  const handle = useRef<Handle | null>(null);
  const latest = useRef(props);
  /** What was typed and has not come back as `value` yet: older texts must not undo newer ones. */
  const typed = useRef<string[]>([]);
  latest.current = {
    ...props,
    onInput: (value) => {
      typed.current.push(value);
      props.onInput?.(value);
    },
  };
  const [loaded, setLoaded] = useState(false);

  useEffect(() => {
    let wanted = true;
    import("./editor-codemirror.ts").then(
      ({ open }) => {
        if (!wanted || !holder.current) return;
        handle.current = open(holder.current, latest);
        setLoaded(true);
      },
      () => undefined,
    );
    return () => {
      wanted = false;
      handle.current?.close();
      handle.current = null;
    };
  }, [props.language]);

  useEffect(() => {
    const at = typed.current.indexOf(props.value);
    typed.current = at < 0 ? [] : typed.current.slice(at + 1);
    if (at < 0) handle.current?.setValue(props.value);
  }, [props.value, loaded]);
  useEffect(() => handle.current?.setNotes(props.notes ?? []), [props.notes, loaded, lang.value]);
  useEffect(() => handle.current?.setDark(isDark()), [theme.value, loaded]);

  return (
    <div class="editor">
      <div ref={holder} class={loaded ? "editor-holder" : "editor-holder absent"} />
      {!loaded && (
        <textarea
          aria-label={props.label}
          value={props.value}
          readOnly={props.readOnly}
          spellcheck={false}
          onInput={(event) => props.onInput?.(event.currentTarget.value)}
        />
      )}
    </div>
  );
}

export function isDark(): boolean {
  return theme.value === "dark" || (theme.value === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
}
