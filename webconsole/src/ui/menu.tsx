// A button that opens a list of actions: arrows, Home, End, Escape, letters; a click elsewhere closes.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Icon } from "./icons.tsx";

export interface Item {
  id: string;
  label: string;
  about?: string;
  group?: string;
  disabled?: string;
  danger?: boolean;
  run: () => void;
}

export function Menu(props: { label: ComponentChildren; name?: string; items: Item[]; kind?: string; right?: boolean }) {
  const [open, setOpen] = useState(false);
  const list = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    entries(list.current)[0]?.focus();
    const outside = (event: Event) => {
      const target = event.target as Node;
      if (!list.current?.contains(target) && !button.current?.contains(target)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const onKey = (event: KeyboardEvent) => {
    const all = entries(list.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all[to % all.length]?.focus();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") setOpen(false);
    else if (event.key.length === 1) {
      const letter = event.key.toLowerCase();
      all.find((one) => one.textContent?.trim().toLowerCase().startsWith(letter))?.focus();
    }
  };
  let group: string | undefined;
  return (
    <div class="menu">
      <button
        ref={button}
        type="button"
        class={`button ${props.kind ?? "plain"}`}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={props.name}
        onClick={() => setOpen(!open)}
      >
        {props.label}
        <Icon name="chevron" />
      </button>
      {open && (
        <div ref={list} id={id} role="menu" aria-label={props.name} class={`menu-list${props.right ? " right" : ""}`} onKeyDown={onKey}>
          {props.items.map((item) => {
            const heading = item.group !== group && item.group ? <div class="menu-group" role="presentation">{item.group}</div> : null;
            group = item.group;
            return (
              <>
                {heading}
                <button
                  key={item.id}
                  type="button"
                  role="menuitem"
                  tabIndex={-1}
                  class={item.danger ? "danger" : ""}
                  aria-disabled={item.disabled ? "true" : undefined}
                  onClick={() => {
                    if (item.disabled) return;
                    close();
                    item.run();
                  }}
                >
                  <span>{item.label}</span>
                  {(item.disabled || item.about) && <small>{item.disabled || item.about}</small>}
                </button>
              </>
            );
          })}
        </div>
      )}
    </div>
  );
}

function entries(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? [])];
}
