// The part of the editor that needs CodeMirror: a file of its own, loaded on demand. It lives in a
// shadow root, where its styles are constructed sheets: the strict CSP allows no <style> element.
import { xml } from "@codemirror/lang-xml";
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { shell } from "@codemirror/legacy-modes/mode/shell";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { indentWithTab } from "@codemirror/commands";
import { tags } from "@lezer/highlight";
import { basicSetup } from "codemirror";
import type { EditorProps, LineNote } from "./editor.tsx";
import { isDark } from "./editor.tsx";

export interface Handle {
  setValue(value: string): void;
  setNotes(notes: LineNote[]): void;
  setDark(dark: boolean): void;
  close(): void;
}

const COLOURS = HighlightStyle.define([
  { tag: [tags.tagName, tags.keyword, tags.controlKeyword], color: "var(--code-keyword)" },
  { tag: [tags.attributeName, tags.variableName, tags.propertyName, tags.definition(tags.variableName)], color: "var(--code-name)" },
  { tag: [tags.attributeValue, tags.string], color: "var(--code-string)" },
  { tag: [tags.comment, tags.meta, tags.documentMeta], color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.atom], color: "var(--code-number)" },
  { tag: [tags.angleBracket, tags.punctuation], color: "var(--muted)" },
]);

const LOOK: Record<string, Record<string, string>> = {
  "&": { color: "var(--ink)", backgroundColor: "var(--field)", fontSize: "13px", height: "100%" },
  ".cm-content": { fontFamily: "var(--mono)", caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--muted)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  "&.cm-focused": { outline: "none" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--select) !important" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--panel)", color: "var(--ink)", borderColor: "var(--line)" },
};

export function open(element: HTMLElement, props: { current: EditorProps }): Handle {
  const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
  root.replaceChildren();
  const look = new Compartment();
  const dress = (dark: boolean): Extension => EditorView.theme(LOOK, { dark });
  let quiet = false;
  const { language, readOnly, label } = props.current;
  const extensions: Extension[] = [
    basicSetup,
    keymap.of([indentWithTab]),
    syntaxHighlighting(COLOURS),
    look.of(dress(isDark())),
    lintGutter(),
    EditorView.contentAttributes.of({ "aria-label": label }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged && !quiet) props.current.onInput?.(update.state.doc.toString());
    }),
  ];
  if (language === "xml") extensions.push(xml());
  if (language === "shell") extensions.push(StreamLanguage.define(shell));
  if (readOnly) extensions.push(EditorState.readOnly.of(true));
  const view = new EditorView({ doc: props.current.value, extensions, root, parent: root });
  // What scrolls must be reached by keyboard, also where nothing can be typed.
  view.scrollDOM.tabIndex = 0;
  return {
    setValue(value) {
      if (value === view.state.doc.toString()) return;
      quiet = true;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } });
      quiet = false;
    },
    setNotes(notes) {
      const found = notes
        .filter((one) => one.line >= 1 && one.line <= view.state.doc.lines)
        .map((one) => {
          const line = view.state.doc.line(one.line);
          const severity = one.level === "error" ? ("error" as const) : ("warning" as const);
          return { from: line.from, to: line.to, severity, message: one.text };
        });
      view.dispatch(setDiagnostics(view.state, found));
    },
    setDark(dark) {
      view.dispatch({ effects: look.reconfigure(dress(dark)) });
    },
    close: () => view.destroy(),
  };
}
