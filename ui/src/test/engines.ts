import type { EngineInfo, EngineOption } from "../api/types";

const option = (key: string, change: Partial<EngineOption> = {}): EngineOption => ({
  choices: [],
  default: null,
  description: `What \`${key}\` is for.`,
  example: "",
  is_usual: true,
  key,
  kind: "text",
  label: key,
  required: false,
  several: null,
  ...change,
});

const choice = (key: string, values: readonly string[], change: Partial<EngineOption> = {}): EngineOption =>
  option(key, {
    choices: values.map((value) => ({ label: `${value} ones`, value })),
    default: values[0] ?? null,
    kind: "choice",
    ...change,
  });

const engine = (name: string, options: EngineOption[]): EngineInfo => ({
  description: "",
  name,
  options,
  problem: null,
});

/** Engines as the server tells them, with an option of each kind. */
export const ENGINES: readonly EngineInfo[] = [
  engine("command", [
    option("workflow", { is_usual: false, kind: "yaml", required: true }),
    option("timeout", { default: "30m", is_usual: false }),
  ]),
  engine("files", [
    option("path", { kind: "list", label: "Path", required: true, several: "paths" }),
    option("exclude", { default: [], kind: "list", label: "Leave out" }),
    option("allow_empty", { default: false, is_usual: false, kind: "switch", label: "May be empty" }),
  ]),
  engine("postgres", [
    option("connection", { required: true }),
    option("database"),
    choice("method", ["logical", "physical"]),
    option("jobs", { default: 1, is_usual: false, kind: "number", label: "Tables at once" }),
    choice("wal", ["none", "slot"], { is_usual: false }),
  ]),
  engine("sqlite", [option("path"), option("connection")]),
  engine("tape", [
    option("patterns", { default: ["*.old"], kind: "list" }),
    option("codes", { default: [0], kind: "numbers" }),
    option("gain", { kind: "number" }),
    option("rewind", { kind: "switch" }),
    choice("side", ["a", "b"], { default: null }),
  ]),
];
