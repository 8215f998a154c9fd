// What stands around every page: where one is, which node speaks, language, light, who one is.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { connection } from "../api/client.ts";
import * as api from "../api/endpoints.ts";
import { type Key, lang, setLang, t } from "../i18n/index.ts";
import { clock } from "../model/figures.ts";
import { href, place } from "../router.ts";
import { end, modules, now, session } from "../store.ts";
import { setTheme, type Theme, theme } from "../theme.ts";
import { Icon } from "../ui/icons.tsx";
import { type Item, Menu } from "../ui/menu.tsx";
import { changingPassword } from "./ownpassword.tsx";

const PAGES: { path: string; key: Key; admin?: boolean }[] = [
  { path: "modules", key: "nav.modules" },
  { path: "cluster", key: "nav.cluster" },
  { path: "notices", key: "nav.notices" },
  { path: "people", key: "nav.people", admin: true },
  { path: "audit", key: "nav.audit", admin: true },
];

export function Shell(props: { children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const here = place.value.path[0] ?? "modules";
  const at = here === "m" || here === "new" ? "modules" : here;
  const role = session.value?.role;
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>{t("nav.skip")}</a>
      <header class="top">
        <a class="brand" href="#/modules">
          <img src="/favicon.svg" alt="" width="22" height="22" />
          mirror
        </a>
        <button type="button" class="button quiet nav-button" aria-expanded={open} aria-controls="nav" onClick={() => setOpen(!open)}>
          <Icon name="menu" label={t("nav.menu")} />
        </button>
        <nav id="nav" class={open ? "open" : ""} aria-label={t("nav.label")} onClick={() => setOpen(false)}>
          {PAGES.filter((one) => !one.admin || role === "Admin").map((one) => (
            <a key={one.path} href={href(one.path)} aria-current={at === one.path ? "page" : undefined}>
              {t(one.key)}
            </a>
          ))}
        </nav>
        <Preferences />
      </header>
      <Spoken />
      <main id="main" tabIndex={-1}>{props.children}</main>
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** Which node speaks, and whether it still does: always here, always as high. */
function Spoken() {
  const { state, node, heardAt, next } = connection.value;
  const { from, at } = place.value.query;
  const back = from && modules.value && [...modules.value.values()].some((one) => one.nodes.some((other) => other.node === from && other.answers));
  const time = (ms: number | null) => (ms ? clock(ms, lang.value) : "–");
  void now.value;
  const moved = from && !back;
  const level = { connecting: "none", live: moved ? "warn" : "good", lost: "bad", leaving: "warn" }[state];
  const text = {
    connecting: () => t("conn.connecting"),
    live: () => (moved ? t("conn.moved", { node, lost: from, time: time(Number(at)) }) : t("conn.live", { node: node === "this" ? t("cluster.this") : node })),
    lost: () => t("conn.lost", { lost: node, time: time(heardAt) }),
    leaving: () => t("conn.leaving", { lost: node, next, time: time(heardAt) }),
  }[state];
  return (
    <div class={`spoken ${level}`} role="status">
      <Icon name={level} /> <span>{text()}</span>
    </div>
  );
}

export function Preferences() {
  const opened = session.value;
  const themes: Theme[] = ["system", "light", "dark"];
  const icon = { system: "auto", light: "sun", dark: "moon" }[theme.value];
  const items: Item[] = themes.map((one) => ({
    id: one,
    label: t(`theme.${one}`),
    run: () => setTheme(one),
  }));
  return (
    <div class="preferences">
      <button
        type="button"
        class="button quiet"
        lang={lang.value === "en" ? "fr" : "en"}
        onClick={() => setLang(lang.value === "en" ? "fr" : "en")}
      >
        {lang.value === "en" ? "Français" : "English"}
      </button>
      <Menu kind="quiet" right name={t("theme.label")} label={<Icon name={icon} />} items={items} />
      {opened && (
        <Menu
          kind="quiet"
          right
          name={t("user.menu", { user: opened.user })}
          label={<><Icon name="user" /><span class="user-name">{opened.user}</span></>}
          items={[
            { id: "role", label: t("user.role", { role: opened.role }), about: t(`role.${opened.role}`), run: () => undefined },
            { id: "password", label: t("user.password"), run: () => { changingPassword.value = true; } },
            { id: "out", label: t("user.sign.out"), run: () => void signOut() },
          ]}
        />
      )}
    </div>
  );
}

async function signOut(): Promise<void> {
  await api.session.close().catch(() => undefined);
  end();
}
