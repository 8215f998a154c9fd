// The link between the two cards, drawn as it is: live, catching up with a bar, cut, asynchronous.
import { lang, t } from "../i18n/index.ts";
import * as figures from "../model/figures.ts";
import type { ModuleView, Network } from "../model/types.ts";
import { now } from "../store.ts";
import { Bar, Figure } from "../ui/basics.tsx";

export function LinkDrawing({ module }: { module: ModuleView }) {
  const link = module.link;
  const reversed = link.from !== "" && link.from === module.nodes[1]?.node;
  const done = module.progress ? figures.percent(module.progress.bytesDone, module.progress.bytesTotal) : null;
  const flow = link.kind === "live" || link.kind === "catching-up" || link.kind === "async";
  const age = figures.age(link.seen, now.value);
  return (
    <section class={`link ${link.kind}${reversed ? " reversed" : ""}${age.stale && flow ? " stale" : ""}`} aria-label={t("link.label")}>
      <p class="link-word"><span>{t(`link.${link.kind}`)}</span></p>
      <svg class="wire" viewBox="0 0 200 24" preserveAspectRatio="none" aria-hidden="true">
        {link.kind === "cut" || link.kind === "none" ? (
          <>
            <path class="line" d="M0 12H84" /><path class="line" d="M116 12H200" />
            {link.kind === "cut" && <path class="cross" d="M93 5l14 14M107 5l-14 14" />}
          </>
        ) : (
          <>
            <path class="line" d="M0 12H200" />
            <path class="head" d="M188 4l11 8-11 8" />
          </>
        )}
      </svg>
      {link.kind === "catching-up" && <Bar percent={done} label={t("progress.label")} />}
      <p class="link-rate">
        {flow ? figures.rate(link.bytesPerS, lang.value) : " "}
        {flow && link.from && <span class="sr">{t("link.direction", { from: link.from, to: link.to })}</span>}
      </p>
      <dl class="figures">
        {flow && <Figure label={t("link.mean")} text={figures.micros(link.meanUs, lang.value)} seen={link.seen} />}
        {flow && link.waiting !== null && <Figure label={t("link.waiting")} text={figures.count(link.waiting, lang.value)} seen={link.seen} />}
        {link.kind === "cut" && link.pending !== null && <Figure label={t("link.pending")} text={figures.count(link.pending, lang.value)} seen={link.seen} />}
        {flow && link.recent !== null && <Figure label={t("link.recent")} text={figures.count(link.recent, lang.value)} seen={link.seen} />}
        {flow && link.lagMs !== null && <Figure label={t("link.lag")} text={figures.duration(link.lagMs, lang.value)} seen={link.seen} />}
      </dl>
      <ul class="networks">
        {link.networks.map((one) => <NetworkLine key={one.name} network={one} />)}
      </ul>
      <p class="promise">{promise(module)}</p>
    </section>
  );
}

/** Which calls wait for whom, as it is now and not as it is configured. */
function promise(module: ModuleView): string {
  if (module.watch) return t("promise.watch");
  if (module.link.kind === "live") return t(`promise.${module.barrier}.${module.async}`);
  return module.nodes.some((one) => one.word === "ALONE") ? t("promise.alone") : "";
}

function NetworkLine({ network }: { network: Network }) {
  return (
    <li class={network.up ? "ok" : "down"}>
      <span class="net-name">{network.name}</span>
      <b>{t(network.up ? "net.ok" : "net.down")}</b>
      <span class="net-rtt">{network.up && network.rttMs !== null ? figures.duration(network.rttMs, lang.value) : ""}</span>
    </li>
  );
}
