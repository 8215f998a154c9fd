// Reintegration: phase, done, left, rate, time left and what is pending. It belongs to the module,
// not to the page: closing it changes nothing.
import { useRef } from "preact/hooks";
import { lang, t, word } from "../i18n/index.ts";
import { etaMs, rateOf, type Sample, withSample } from "../model/eta.ts";
import * as figures from "../model/figures.ts";
import type { ModuleView, Progress } from "../model/types.ts";
import { now } from "../store.ts";
import { Bar, Panel } from "../ui/basics.tsx";

export function ProgressPanel({ module, progress }: { module: ModuleView; progress: Progress }) {
  const samples = useRef<Sample[]>([]);
  const { bytesDone, bytesTotal } = progress;
  const last = samples.current[samples.current.length - 1];
  if (bytesDone !== null && last?.done !== bytesDone) {
    samples.current = withSample(samples.current, { at: now.value, done: bytesDone });
  }
  const rate = progress.bytesPerS ?? rateOf(samples.current);
  const left = progress.etaMs ?? (bytesTotal === null ? null : etaMs(samples.current, bytesTotal));
  const done = figures.percent(bytesDone, bytesTotal);
  const from = module.nodes.find((one) => one.node !== progress.node)?.node ?? "";
  return (
    <Panel title={t("progress.title", { from, to: progress.node })} class="progress">
      <Bar percent={done} label={t("progress.label")} />
      <dl class="figures wide">
        <div class="figure"><dt>{t("progress.phase")}</dt><dd>{word("phase", progress.phase)}</dd></div>
        <div class="figure"><dt>{t("progress.done")}</dt><dd>{done === null ? figures.NO_FIGURE : `${done} %`}</dd></div>
        <div class="figure"><dt>{t("progress.bytes")}</dt><dd>{t("progress.of", { done: figures.size(bytesDone, lang.value), total: figures.size(bytesTotal, lang.value) })}</dd></div>
        <div class="figure"><dt>{t("progress.files")}</dt><dd>{t("progress.of", { done: figures.count(progress.filesDone, lang.value), total: figures.count(progress.filesTotal, lang.value) })}</dd></div>
        <div class="figure"><dt>{t("progress.rate")}</dt><dd>{figures.rate(rate, lang.value)}</dd></div>
        <div class="figure"><dt>{t("progress.left")}</dt><dd>{figures.duration(left, lang.value)}</dd></div>
      </dl>
      {progress.pending.length > 0 && (
        <details>
          <summary>{t("progress.pending", { n: figures.count(progress.pending.length + progress.pendingMore, lang.value) })}</summary>
          <ul class="pending">
            {progress.pending.map((one) => <li key={one.file}><code>{one.file}</code><span>{figures.size(one.bytes, lang.value)}</span></li>)}
          </ul>
          {progress.pendingMore > 0 && <p class="muted">{t("progress.more", { n: figures.count(progress.pendingMore, lang.value) })}</p>}
        </details>
      )}
    </Panel>
  );
}
