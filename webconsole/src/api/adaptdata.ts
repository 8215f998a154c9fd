// From the API's documents about data to the values of model/data.ts.
import type { ChoiceOfSource, KeptVersion, Side, SplitSide, SplitView, StartFacts } from "../model/data.ts";
import { said } from "../model/said.ts";
import type { WhatIf } from "../model/whatif.ts";
import { readinessOf, wordOf } from "./adapt.ts";
import { type Json, list, map, num, text, texts } from "./json.ts";

const at = (us: unknown): number | null => (num(us) ? (num(us) ?? 0) / 1000 : null);
const sum = (all: Json[], name: string) => all.reduce((total, one) => total + (num(one[name]) ?? 0), 0);
const NEWEST = 5;

export function startFacts(body: unknown): StartFacts {
  const json = map(body);
  return {
    needed: json["needed"] === true,
    advice: said(json["advice_said"], text(json["advice"])),
    verdict: verdict(json["verdict"]),
    sides: list(json["nodes"]).map(side),
    choices: list(json["choices"]).map(choice),
  };
}

function verdict(value: unknown): StartFacts["verdict"] {
  const json = map(value);
  return value ? { row: text(json["row"]), source: text(json["source"]), why: said({ code: `generation.${text(json["row"])}`, facts: {}, text: json["why"] }) } : null;
}

export function split(body: unknown): SplitView {
  const json = map(body);
  return { split: json["split"] === true, since: at(json["since_us"]), verdict: verdict(json["verdict"]), sides: list(json["nodes"]).map(splitSide).sort((a, b) => (a.node < b.node ? -1 : 1)), both: texts(json["both"]) };
}

function splitSide(json: Json): SplitSide {
  const changed = map(json["changed"]);
  const files = list(changed["files"]).map((one) => ({ path: `${text(one["directory"]).replace(/\/$/, "")}/${text(one["path"])}`, bytes: num(one["size_bytes"]) ?? 0, at: at(one["mtime_us"]), exists: one["exists"] !== false }));
  return {
    node: text(json["node"]),
    reachable: json["reachable"] === true,
    observed: said(json["observed_said"], text(json["observed"])),
    word: wordOf(json["state"]),
    readiness: readinessOf(json["ready"]),
    wasPrimary: map(json["record"])["was_primary"] === true,
    since: at(changed["since_us"]),
    complete: changed["complete"] !== false,
    files: files.sort((a, b) => (b.at ?? 0) - (a.at ?? 0)),
  };
}

export function keptVersions(body: unknown): KeptVersion[] {
  return list(map(body)["files"]).map((one) => ({ id: text(one["id"]), node: text(one["node"]), side: text(one["side"]), path: `${text(one["directory"]).replace(/\/$/, "")}/${text(one["path"])}`, bytes: num(one["size_bytes"]) ?? 0, at: at(one["mtime_us"]), what: text(one["what"]) }));
}

function side(json: Json): Side {
  const directories = list(json["directories"]);
  const record = json["record"] ? map(json["record"]) : null;
  const newest = directories.flatMap((one) => list(one["newest"]).map((file) => ({ path: `${text(one["path"])}/${text(file["path"])}`, bytes: num(file["bytes"]) ?? 0, at: at(file["changed_us"]) })));
  return {
    node: text(json["node"]),
    reachable: json["reachable"] === true,
    observed: said(json["observed_said"], text(json["observed"])),
    files: sum(directories, "files"),
    bytes: sum(directories, "bytes"),
    complete: directories.every((one) => one["complete"] === true),
    empty: directories.every((one) => one["empty"] === true),
    errors: [...directories, record ?? {}].map((one) => said(one["error_said"], text(one["error"]))).filter((one) => one.text),
    newest: newest.sort((a, b) => (b.at ?? 0) - (a.at ?? 0)).slice(0, NEWEST),
    record: record && {
      blank: record["blank"] === true,
      generation: text(record["generation"]),
      term: num(record["term"]) ?? 0,
      wasPrimary: record["was_primary"] === true,
      livedOn: record["lived_on"] === true,
      cleanStop: record["clean_stop"] === true,
      inconsistent: record["inconsistent"] === true,
      targetOf: text(record["target_of"]),
      mayServe: texts(record["may_serve"]),
      at: at(record["changed_us"]),
    },
  };
}

function choice(json: Json): ChoiceOfSource {
  const count = (name: string) => num(json[name]) ?? 0;
  return {
    source: text(json["source"]),
    target: text(json["target"]),
    sameFiles: count("same_files"),
    differentFiles: count("different_files"),
    differentBytes: count("different_bytes"),
    onlyTargetFiles: count("only_target_files"),
    onlyTargetBytes: count("only_target_bytes"),
    onlySourceFiles: count("only_source_files"),
    onlySourceBytes: count("only_source_bytes"),
    complete: json["complete"] === true,
    examples: list(json["examples"]).map((one) => ({ path: text(one["path"]), onlyThere: one["what"] === "only there", bytes: num(one["target_bytes"]) ?? 0, at: at(one["target_changed_us"]) })),
  };
}

export function whatIf(body: unknown): WhatIf {
  const json = map(body);
  return {
    steps: list(json["steps"]).map((one) => ({
      node: text(one["node"]),
      word: wordOf(one["state"]),
      readiness: readinessOf(one["ready"]),
      moved: one["moved"] === true,
      rows: list(one["rows"]).map((row) => ({ row: text(row["row"]), why: said(row["said"], text(row["why"])) })),
      does: list(one["does"]).map((act) => ({ what: text(act["what"]), scripts: texts(act["scripts"]), text: text(act["text"]) })),
    })),
    nodes: list(json["nodes"]).map((one) => ({
      node: text(one["node"]),
      before: wordOf(one["state_before"]),
      word: wordOf(one["state"]),
      readiness: readinessOf(one["ready"]),
      reason: said(one["reason_said"], text(one["reason"])),
    })),
    // What is not said is taken for the worse.
    interrupts: json["interrupts"] !== false,
    discards: json["discards"] !== false,
    warnings: list(json["warnings_said"]).map((one) => said(one)),
    rests: json["rests"] !== false,
  };
}
