// Starts the console: language, light, session, then the page that the address names. Every page
// is in this bundle, so that all of them still work when the node that served it is gone; only the
// editor and the graphs come when they are needed, fetched ahead when the browser has time.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as client from "./api/client.ts";
import * as api from "./api/endpoints.ts";
import { lang, setLang, t } from "./i18n/index.ts";
import { ActionDialog } from "./pages/actions.tsx";
import { OwnPassword } from "./pages/ownpassword.tsx";
import { Audit } from "./pages/audit.tsx";
import { Cluster } from "./pages/cluster.tsx";
import { Again, Login } from "./pages/login.tsx";
import { ModulePage } from "./pages/module.tsx";
import { Modules } from "./pages/modules.tsx";
import { Notices } from "./pages/notices.tsx";
import { People } from "./pages/people.tsx";
import { Shell } from "./pages/shell.tsx";
import { Wizard } from "./pages/wizard.tsx";
import { listen, place } from "./router.ts";
import { begin, expire, expired, session } from "./store.ts";
import * as theme from "./theme.ts";

function Page() {
  switch (place.value.path[0]) {
    case "m":
      return <ModulePage />;
    case "new":
      return <Wizard />;
    case "cluster":
      return <Cluster />;
    case "people":
      return <People />;
    case "notices":
      return <Notices />;
    case "audit":
      return <Audit />;
    default:
      return <Modules />;
  }
}

function Application() {
  const [looked, setLooked] = useState(false);
  useEffect(() => {
    void resume().finally(() => setLooked(true));
  }, []);
  useEffect(() => {
    const [first, second] = place.value.path;
    document.title = [first === "m" ? second : "", "mirror"].filter(Boolean).join(" · ");
  }, [place.value]);
  if (!looked) return <p class="starting" role="status">{t("load.reading")}</p>;
  if (!session.value || place.value.path[0] === "link") return <Login />;
  return (
    <Shell>
      <Page />
      <ActionDialog />
      <OwnPassword />
      {expired.value && <Again />}
    </Shell>
  );
}

/** A session that still holds is gone on with; so is one that began on the other node. */
async function resume(): Promise<void> {
  try {
    if (place.value.path[0] === "ticket") await arrive(place.value.path[1] ?? "");
    const opened = session.value ?? (await api.session.current());
    if (opened) begin(opened);
  } catch {
    // Nobody answers, or refuses: the door says which when it is tried.
  }
}

/** From the other node, which died: signed in by its ticket, and back at the same place. */
async function arrive(ticket: string): Promise<void> {
  const { from = "", at = "", then = "/modules" } = place.value.query;
  const [path, query] = then.split("?");
  const come = new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(query)), from, at });
  history.replaceState(null, "", `#${path}?${come}`);
  dispatchEvent(new HashChangeEvent("hashchange"));
  await api.session.byTicket(ticket).catch(() => null);
}

client.configure({ onSignedOut: expire });
theme.show();
setLang(lang.value);
listen(() => confirm(t("unsaved.leave")));
session.subscribe((opened) => {
  if (!opened) return;
  const ahead = () => {
    void import("./ui/graph-uplot.ts");
    void import("./ui/editor-codemirror.ts");
  };
  if ("requestIdleCallback" in globalThis) requestIdleCallback(ahead, { timeout: 5000 });
  else setTimeout(ahead, 2000);
});
const root = document.getElementById("app");
if (root) render(<Application />, root);
