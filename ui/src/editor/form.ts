import { listText, readList } from "./lists";
import type { EngineInfo } from "../api/types";
import { type Data, fieldsOf, nameOf, numberOf, type SourceForm, sourceForm, writeFields } from "./sources";
import { windowForm, type WindowForm, windowOf } from "./windows";

export type When = "after" | "cron" | "every" | "levels" | "preset";

type OwnForm = WindowForm & {
  after: string;
  alertAfter: string;
  archiveLog: string;
  connection: string;
  cron: string;
  daily: string;
  description: string;
  differential: string;
  engine: string;
  every: string;
  full: string;
  group: string;
  id: string;
  incremental: string;
  last: string;
  monthly: string;
  preset: string;
  repository: string;
  retries: string;
  retryDelay: string;
  tags: string;
  timezone: string;
  weekly: string;
  when: When;
};

/**
 * What the form asks for, as text; everything else of a definition is kept as it was. What it asks for the source comes
 * from its engine, under `source.KEY`.
 */
export type Form = OwnForm & SourceForm;

export const PRESETS: readonly (readonly [string, string])[] = [
  ["hourly", "Every hour"],
  ["daily", "Every day at 02:00"],
  ["weekly", "Every Sunday at 02:00"],
  ["monthly", "On the first of the month at 02:00"],
  ["weekday_hourly", "Every hour from 08:00 to 23:00, Monday to Friday"],
  ["weekend_3x", "09:00, 15:00 and 21:00 at weekends"],
  ["daily_evaluation", "Every day at 07:00"],
  ["weekly_cleanup", "Every Sunday at 02:00"],
];

const FIRST_ENGINE = "files";

export const BLANK: Data = {
  preset: "daily",
  retention: { daily: 14, last: 7, monthly: 12, weekly: 8 },
  source: { engine: FIRST_ENGINE },
};

/** A new schedule for a source; named after what it protects, as far as an id may be. */
export const startFor = (name: string, source: Data): Data => ({
  ...BLANK,
  id: name
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/gu, "-")
    .replace(/^[^a-z]+/u, "")
    .slice(0, 63),
  source,
});

const text = (value: unknown): string =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
const list = (value: unknown): string => (Array.isArray(value) ? listText(value.map(text)) : text(value));
const record = (value: unknown): Data =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Data) : {};

const whenOf = (data: Data): When =>
  (["levels", "cron", "every", "after"] as const).find((key) => data[key] !== undefined) ?? "preset";

/** Fill the form from a definition. */
export const formOf = (data: Data, engines: readonly EngineInfo[]): Form => {
  const [keep, level, retry, source] = [data.retention, data.levels, data.retry, data.source].map(record) as [
    Data,
    Data,
    Data,
    Data,
  ];

  const engine = text(source.engine) || FIRST_ENGINE;

  return {
    after: list(data.after),
    alertAfter: text(data.alert_after),
    archiveLog: text(level.archive_log),
    connection: text(data.connection),
    cron: text(data.cron),
    daily: text(keep.daily),
    description: text(data.description),
    differential: text(level.differential),
    engine,
    every: text(data.every),
    full: text(level.full),
    group: text(data.group),
    id: text(data.id),
    incremental: text(level.incremental),
    last: text(keep.last),
    monthly: text(keep.monthly),
    preset: text(data.preset) || "daily",
    repository: text(data.repository),
    retries: text(retry.max_retries),
    retryDelay: text(retry.delay),
    tags: list(data.tags),
    timezone: text(data.timezone),
    weekly: text(keep.weekly),
    when: whenOf(data),
    ...sourceForm(engines, engine, source),
    ...windowForm(data.window),
  };
};

const filled = (value: string): string | undefined => (value.trim() === "" ? undefined : value.trim());

const orNothing = <T extends object>(value: T): T | undefined => (Object.keys(value).length === 0 ? undefined : value);

const put = (data: Data, changes: Data): Data => {
  const merged = Object.entries({ ...data, ...changes }).filter(([, value]) => value !== undefined);

  return Object.fromEntries(merged);
};

const LEVELS = {
  archive_log: "archiveLog",
  differential: "differential",
  full: "full",
  incremental: "incremental",
} as const;

/** The fields in which each answer to "when" is written. */
const ANSWERS: Readonly<Record<When, readonly (keyof Form)[]>> = {
  after: ["after"],
  cron: ["cron"],
  every: ["every"],
  levels: Object.values(LEVELS),
  preset: ["preset"],
};

/** What was typed, and what it was typed over: only what differs is written into the definition. */
class Change {
  readonly #form: Form;
  readonly #start: Form;

  constructor(form: Form, start: Form) {
    this.#form = form;
    this.#start = start;
  }

  isIn(...names: readonly (keyof Form)[]): boolean {
    return names.some((name) => this.#form[name] !== this.#start[name]);
  }

  /** The keys of the fields that were changed, each as `read` understands its text. */
  keys(fields: Readonly<Record<string, keyof Form>>, read: (value: string) => unknown): Data {
    const changed = Object.entries(fields).filter(([, name]) => this.isIn(name));

    return Object.fromEntries(changed.map(([key, name]) => [key, read(this.#form[name] ?? "")]));
  }
}

const TEXTS = {
  alert_after: "alertAfter",
  connection: "connection",
  description: "description",
  group: "group",
  repository: "repository",
  timezone: "timezone",
} as const;
const COUNTS = { daily: "daily", last: "last", monthly: "monthly", weekly: "weekly" } as const;

const sourceOf = (form: Form, before: Data, change: Change, engines: readonly EngineInfo[]): Data => {
  const isOther = change.isIn("engine");
  const written = fieldsOf(engines, form.engine).filter((option) => isOther || change.isIn(nameOf(option)));

  return writeFields({ ...(isOther ? {} : before), engine: form.engine }, written, form);
};

const whenKeys = (form: Form, before: Data, change: Change): Data => {
  const levels = change.isIn("when")
    ? Object.fromEntries(Object.entries(LEVELS).map(([key, name]) => [key, filled(form[name])]))
    : change.keys(LEVELS, filled);

  return {
    after: form.when === "after" ? readList(form.after) : undefined,
    cron: form.when === "cron" ? form.cron.trim() : undefined,
    every: form.when === "every" ? form.every.trim() : undefined,
    kind: form.when === "levels" ? undefined : before.kind,
    levels: form.when === "levels" ? put(record(before.levels), levels) : undefined,
    preset: form.when === "preset" ? form.preset : undefined,
  };
};

/**
 * Write the form into the definition that it was filled from.
 *
 * Only keys whose field was changed are written: what nobody touched stays as it was, letter for letter.
 */
export const definitionOf = (form: Form, before: Data, engines: readonly EngineInfo[]): Data => {
  const change = new Change(form, formOf(before, engines));
  const source = fieldsOf(engines, form.engine).map(nameOf);
  const keep = { ...record(before.retention), ...change.keys(COUNTS, numberOf) };
  const retry = {
    ...record(before.retry),
    ...change.keys({ max_retries: "retries" }, numberOf),
    ...change.keys({ delay: "retryDelay" }, filled),
  };

  return put(before, {
    ...change.keys({ id: "id" }, (value) => value.trim()),
    ...change.keys(TEXTS, filled),
    ...change.keys({ tags: "tags" }, (value) => orNothing(readList(value))),
    ...(change.isIn("when", ...ANSWERS[form.when]) ? whenKeys(form, before, change) : {}),
    ...(change.isIn(...Object.values(COUNTS)) ? { retention: orNothing(put(keep, {})) } : {}),
    ...(change.isIn("retries", "retryDelay") ? { retry: orNothing(put(retry, {})) } : {}),
    ...(change.isIn("engine", ...source) ? { source: sourceOf(form, record(before.source), change, engines) } : {}),
    ...(change.isIn("window", "days", "from", "to", "windowZone") ? { window: windowOf(form, before.window) } : {}),
  });
};
