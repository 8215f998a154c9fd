// One live graph. uPlot is loaded when the first graph is shown; colours come from the style sheet.
import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { lang, t } from "../i18n/index.ts";
import { NO_FIGURE } from "../model/figures.ts";
import { systemIsDark, theme } from "../theme.ts";

export interface GraphProps {
  title: string;
  xs: number[];
  lines: { label: string; values: (number | null)[] }[];
  format: (value: number | null) => string;
}

const HEIGHT = 120;

export function Graph(props: GraphProps) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const look = `${theme.value}.${systemIsDark.value}.${lang.value}`;

  useEffect(() => {
    let wanted = true;
    let observer: ResizeObserver | null = null;
    void import("./graph-uplot.ts").then(({ draw }) => {
      const element = holder.current;
      if (!wanted || !element) return;
      plot.current = draw(element, latest, HEIGHT);
      observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
      observer.observe(element);
    });
    return () => {
      wanted = false;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [look]);

  useEffect(() => {
    plot.current?.setData([props.xs, ...props.lines.map((one) => one.values)]);
  }, [props.xs.length, props.xs[props.xs.length - 1]]);

  const last = (values: (number | null)[]) => values[values.length - 1] ?? null;
  const said = props.lines.map((one) => `${one.label} ${props.format(last(one.values))}`).join(", ");
  return (
    <figure class="graph">
      <figcaption>
        <b>{props.title}</b>
        <span class="legend">
          {props.lines.map((one, index) => (
            <span key={one.label} class={`key key${index}`}>
              {props.lines.length > 1 ? `${one.label} ` : ""}{one.values.length ? props.format(last(one.values)) : NO_FIGURE}
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={holder} class="plot" role="img" aria-label={t("graph.label", { title: props.title, said })} />
    </figure>
  );
}
