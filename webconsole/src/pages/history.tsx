// What happened: states of both nodes over time, graphs of the link, availability in minutes.
import { useEffect, useState } from "preact/hooks";
import * as api from "../api/endpoints.ts";
import { lang, t, word } from "../i18n/index.ts";
import * as figures from "../model/figures.ts";
import { layOut, ticks } from "../model/timeline.ts";
import type { Availability, ModuleView, Span } from "../model/types.ts";
import { now, readHistory, series } from "../store.ts";
import { Choice, Panel } from "../ui/basics.tsx";
import { Graph } from "../ui/graph.tsx";
import { useLoaded } from "../ui/load.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const READ_EVERY_MS = 60_000;
const WINDOWS = [HOUR / 6, HOUR, 6 * HOUR, 24 * HOUR, 7 * 24 * HOUR];

export function History({ module }: { module: ModuleView }) {
  const states = module.nodes.map((one) => one.word + one.readiness).join();
  const loaded = useLoaded(() => api.modules.availability(module.name), [module.name, states, Math.floor(now.value / READ_EVERY_MS)]);
  const [chosen, setLength] = useState(0);
  const begun = Math.min(...(loaded.value?.spans ?? []).map((one) => one.from));
  // As long as what there is to see, until one chooses.
  const length = chosen || (WINDOWS.find((ms) => now.value - begun < ms) ?? HOUR);
  const windows = WINDOWS.map((ms) => ({ value: String(ms), label: figures.duration(ms, lang.value) }));
  return (
    <div class="history">
      <Panel
        title={t("timeline.title")}
        class="timeline-panel"
        tools={<Choice label={t("timeline.window")} value={String(length)} options={windows} onChange={(ms) => setLength(Number(ms))} />}
      >
        {loaded.value ? <Timeline module={module} spans={loaded.value.spans} length={length} /> : <p class="muted">{loaded.problem || t("load.reading")}</p>}
      </Panel>
      <Availabilities value={loaded.value} reading={!loaded.value && !loaded.problem} />
      <Graphs module={module} />
    </div>
  );
}

function Timeline(props: { module: ModuleView; spans: Span[]; length: number }) {
  // The right edge moves once a second at most, and only on long windows hardly at all.
  const end = Math.ceil(now.value / 1000) * 1000;
  const begin = end - props.length;
  return (
    <div class="timeline">
      {props.module.nodes.map((node) => (
        <div key={node.node} class="lane">
          <span class="lane-name">{node.node}</span>
          <ol class="lane-track">
            {layOut(props.spans.filter((one) => one.node === node.node), begin, end).map((one) => {
              const text = `${one.span.word} ${word("readiness", one.span.readiness)}`;
              const when = t("timeline.from.to", {
                from: figures.moment(one.span.from, end, lang.value),
                duration: figures.duration((one.span.to ?? end) - one.span.from, lang.value),
              });
              return (
                <li key={one.span.from} class={`span ${one.span.readiness}`} style={{ left: `${one.left}%`, width: `${one.width}%` }} title={`${text}, ${when}${one.span.row ? ` (${one.span.row})` : ""}`}>
                  <span aria-hidden="true">{one.span.word}</span>
                  <span class="sr">{text}, {when}</span>
                </li>
              );
            })}
          </ol>
        </div>
      ))}
      <div class="lane axis" aria-hidden="true">
        <span class="lane-name" />
        <div class="lane-track">
          {ticks(begin, end).map((at) => (
            <span key={at} class="tick" style={{ left: `${((at - begin) * 100) / (end - begin)}%` }}>
              {props.length > 24 * HOUR ? figures.moment(at, 0, lang.value).replace(/ \S+$/, "") : figures.clock(at, lang.value).slice(0, 5)}
            </span>
          ))}
        </div>
      </div>
    </div>
  );
}

function Availabilities({ value, reading }: { value: Availability | null; reading: boolean }) {
  const unplanned = value?.outages.filter((one) => !one.planned) ?? [];
  const last = unplanned[0];
  const down = unplanned.reduce((sum, one) => sum + one.ms, 0);
  if (!value || value.ratio === null) return <Panel title={t("avail.title")} class="availability"><p class="muted">{t(reading ? "load.reading" : "avail.not.yet")}</p></Panel>;
  return (
    <Panel title={t("avail.title")} class="availability">
      <p class="big">{figures.availability(value.ratio, lang.value)}</p>
      <dl class="figures">
        <div class="figure"><dt>{t("avail.down")}</dt><dd>{figures.duration(down, lang.value)}</dd></div>
        {now.value - value.since > DAY && <div class="figure"><dt>{t("avail.year")}</dt><dd>{figures.duration((value.minutesAYear ?? 0) * 60_000, lang.value)}</dd></div>}
        <div class="figure"><dt>{t("avail.nines")}</dt><dd>{value.nines === null ? t("avail.nines.all") : figures.count(value.nines, lang.value, 1)}</dd></div>
        <div class="figure"><dt>{t("avail.since")}</dt><dd>{figures.moment(value.since, now.value, lang.value)}</dd></div>
        <div class="figure"><dt>{t("avail.last")}</dt><dd>{last ? `${figures.duration(last.ms, lang.value)} · ${figures.moment(last.at, now.value, lang.value)}` : t("avail.none")}</dd></div>
      </dl>
      {value.outages.length > 0 && (
        <details>
          <summary>{t("avail.all", { n: value.outages.length })}</summary>
          <ul class="outages">
            {value.outages.map((one) => (
              <li key={one.at}>
                <span>{figures.moment(one.at, now.value, lang.value)}</span>
                <span class="muted">{one.planned ? t("avail.planned") : one.after ? t("avail.from.to", { before: one.before, after: one.after }) : ""}</span>
                <b>{figures.duration(one.ms, lang.value)}</b>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Panel>
  );
}

function Graphs({ module }: { module: ModuleView }) {
  const serving = module.link.from;
  useEffect(() => {
    if (serving) void readHistory(module.name, serving);
  }, [module.name, serving]);
  const points = series.value.get(module.name) ?? [];
  const xs = points.map((one) => one.at / 1000);
  return (
    <div class="graphs">
      <Graph title={t("graph.writes")} xs={xs} lines={[{ label: t("graph.writes.line"), values: points.map((one) => one.writesPerS) }]} format={(v) => figures.count(v, lang.value)} />
      <Graph title={t("graph.latency")} xs={xs} lines={[{ label: t("graph.mean"), values: points.map((one) => one.meanUs) }]} format={(v) => figures.micros(v, lang.value)} />
      <Graph title={t("graph.rate")} xs={xs} lines={[{ label: t("graph.rate.line"), values: points.map((one) => one.bytesPerS) }]} format={(v) => figures.rate(v, lang.value)} />
    </div>
  );
}
