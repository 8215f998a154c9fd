// The part of a graph that needs uPlot: a file of its own, loaded on demand.
import uPlot from "uplot";
import { timesAt } from "../model/timeline.ts";
import type { GraphProps } from "./graph.tsx";

/** Figures are written whole: a step below one would write the same figure twice. */
const STEPS = Array.from({ length: 14 }, (_, power) => [1, 2, 5].map((one) => one * 10 ** power)).flat();

export function draw(element: HTMLElement, props: { current: GraphProps }, height: number): uPlot {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line-soft"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return new uPlot(
    {
      width: element.clientWidth || 300,
      height,
      cursor: { y: false, points: { size: 6 } },
      legend: { show: false },
      padding: [8, 28, 0, 0],
      scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [
        { ...axis, size: 22, space: 90, values: (_plot, at) => timesAt(at, props.current.xs) },
        { ...axis, size: 74, space: 34, incrs: STEPS, values: (_plot, at) => at.map((one) => props.current.format(one)) },
      ],
      series: [
        {},
        ...props.current.lines.map((one, index) => ({
          label: one.label,
          stroke: colour(`--graph${index}`),
          width: 1.5,
          ...(index === 1 ? { dash: [4, 3] } : { fill: colour("--graph-fill") }),
          spanGaps: false,
          points: { show: false },
        })),
      ],
    },
    [props.current.xs, ...props.current.lines.map((one) => one.values)],
    element,
  );
}
