import type { FieldProblem } from "../api/types";

export type When = "after" | "cron" | "every" | "levels" | "preset";
export type WindowChoice = "any" | "business_hours" | "custom" | "off_hours" | "written";

/** What the form asks for, as text; everything else of a definition is kept as it was. */
export type Form = {
  after: string;
  alertAfter: string;
  archiveLog: string;
  connection: string;
  cron: string;
  daily: string;
  database: string;
  days: string;
  description: string;
  differential: string;
  engine: string;
  every: string;
  exclude: string;
  from: string;
  full: string;
  group: string;
  id: string;
  incremental: string;
  last: string;
  method: string;
  monthly: string;
  path: string;
  preset: string;
  repository: string;
  resticRepository: string;
  retries: string;
  retryDelay: string;
  sourceConnection: string;
  tags: string;
  timezone: string;
  to: string;
  weekly: string;
  when: When;
  window: WindowChoice;
};

type Data = Record<string, unknown>;

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

/** By engine, the options of its source that the form asks for; an engine that is not here is written as YAML. */
export const SOURCE_FIELDS: Readonly<Record<string, readonly SourceField[]>> = {
  command: [],
  files: ["path", "exclude"],
  firebird: ["sourceConnection", "database", "method"],
  mysql: ["sourceConnection", "database", "method"],
  postgres: ["sourceConnection", "database", "method"],
  restic: ["path", "resticRepository", "sourceConnection"],
  sqlite: ["path", "sourceConnection"],
};

const ALL_SOURCE_FIELDS: ReadonlySet<string> = new Set(Object.values(SOURCE_FIELDS).flat());

export type SourceField = "database" | "exclude" | "method" | "path" | "resticRepository" | "sourceConnection";

export const BLANK: Data = {
  preset: "daily",
  retention: { daily: 14, last: 7, monthly: 12, weekly: 8 },
  source: { engine: "files" },
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

const text = (value: unknown): string => (typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
const list = (value: unknown): string => (Array.isArray(value) ? value.map(text).join(", ") : text(value));
const record = (value: unknown): Data =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Data) : {};
const words = (value: string): string[] =>
  value
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean);

const whenOf = (data: Data): When =>
  (["levels", "cron", "every", "after"] as const).find((key) => data[key] !== undefined) ?? "preset";

const windowOf = (value: unknown): WindowChoice => {
  if (!Array.isArray(value) || value.length === 0) {
    return "any";
  }
  const only = record(value[0]);

  if (value.length > 1 || only.timezone !== undefined) {
    return "written";
  }
  if (only.preset === "business_hours" || only.preset === "off_hours") {
    return only.preset;
  }

  return only.from === undefined ? "written" : "custom";
};

/** Fill the form from a definition. */
export const formOf = (data: Data): Form => {
  const { levels, retention, retry, source } = data;
  const window = record(Array.isArray(data.window) ? data.window[0] : undefined);
  const keep = record(retention);
  const level = record(levels);

  return {
    after: list(data.after),
    alertAfter: text(data.alert_after),
    archiveLog: text(level.archive_log),
    connection: text(data.connection),
    cron: text(data.cron),
    daily: text(keep.daily),
    database: text(record(source).database),
    days: list(window.days) || "mon-fri",
    description: text(data.description),
    differential: text(level.differential),
    engine: text(record(source).engine) || "files",
    every: text(data.every),
    exclude: list(record(source).exclude),
    from: text(window.from) || "22:00",
    full: text(level.full),
    group: text(data.group),
    id: text(data.id),
    incremental: text(level.incremental),
    last: text(keep.last),
    method: text(record(source).method) || "logical",
    monthly: text(keep.monthly),
    path: list(record(source).paths) || text(record(source).path),
    preset: text(data.preset) || "daily",
    repository: text(data.repository),
    resticRepository: text(record(source).restic_repository),
    retries: text(record(retry).max_retries),
    retryDelay: text(record(retry).delay),
    sourceConnection: text(record(source).connection),
    tags: list(data.tags),
    timezone: text(data.timezone),
    to: text(window.to) || "06:00",
    weekly: text(keep.weekly),
    when: whenOf(data),
    window: windowOf(data.window),
  };
};

/** A number where one was typed; else the text, so that the server says what is wrong with it. */
const count = (value: string): number | string | undefined => {
  const trimmed = value.trim();

  return trimmed === "" ? undefined : /^\d+$/u.test(trimmed) ? Number(trimmed) : trimmed;
};

const filled = (value: string): string | undefined => (value.trim() === "" ? undefined : value.trim());

const put = (data: Data, changes: Data): Data => {
  const merged = Object.entries({ ...data, ...changes }).filter(([, value]) => value !== undefined);

  return Object.fromEntries(merged);
};

const orNothing = (data: Data): Data | undefined => (Object.keys(data).length === 0 ? undefined : data);

const sourceOf = (form: Form, before: Data): Data => {
  const kept = before.engine === form.engine ? before : {};
  const asked = SOURCE_FIELDS[form.engine] ?? [];

  return asked.reduce((found, field) => put(found, optionOf(field, form)), put(kept, { engine: form.engine }));
};

/** What a field of the form says about the source. */
const optionOf = (field: SourceField, form: Form): Data => {
  const exclude = words(form.exclude);
  const paths = words(form.path);

  switch (field) {
    case "database":
      return { database: filled(form.database) };
    case "exclude":
      return { exclude: exclude.length > 0 ? exclude : undefined };
    case "method":
      return { method: form.method === "logical" ? undefined : form.method };
    case "path":
      return { path: paths.length === 1 ? paths[0] : undefined, paths: paths.length > 1 ? paths : undefined };
    case "resticRepository":
      return { restic_repository: filled(form.resticRepository) };
    case "sourceConnection":
      return { connection: filled(form.sourceConnection) };
  }
};

const whenKeys = (form: Form, before: Data): Data => ({
  after: form.when === "after" ? words(form.after) : undefined,
  cron: form.when === "cron" ? form.cron.trim() : undefined,
  every: form.when === "every" ? form.every.trim() : undefined,
  kind: form.when === "levels" ? undefined : before.kind,
  levels:
    form.when === "levels"
      ? put(record(before.levels), {
          archive_log: filled(form.archiveLog),
          differential: filled(form.differential),
          full: filled(form.full),
          incremental: filled(form.incremental),
        })
      : undefined,
  preset: form.when === "preset" ? form.preset : undefined,
});

const windowKey = (form: Form, before: unknown): unknown => {
  if (form.window === "written") {
    return before;
  }
  if (form.window === "custom") {
    return [{ days: words(form.days), from: form.from, to: form.to }];
  }

  return form.window === "any" ? undefined : [form.window];
};

/** Write the form into the definition that it was filled from. */
export const definitionOf = (form: Form, before: Data): Data => {
  const tags = words(form.tags);

  return put(before, {
    ...whenKeys(form, before),
    alert_after: filled(form.alertAfter),
    connection: filled(form.connection),
    description: filled(form.description),
    group: filled(form.group),
    id: form.id.trim(),
    repository: filled(form.repository),
    retention: orNothing(
      put(record(before.retention), {
        daily: count(form.daily),
        last: count(form.last),
        monthly: count(form.monthly),
        weekly: count(form.weekly),
      }),
    ),
    retry: orNothing(
      put(record(before.retry), { delay: filled(form.retryDelay), max_retries: count(form.retries) }),
    ),
    source: sourceOf(form, record(before.source)),
    tags: tags.length > 0 ? tags : undefined,
    timezone: filled(form.timezone),
    window: windowKey(form, before.window),
  });
};

/** Where on the form a key of the definition stands; the first that fits wins. */
const PLACES: readonly (readonly [string, keyof Form])[] = [
  ["id", "id"],
  ["description", "description"],
  ["group", "group"],
  ["tags", "tags"],
  ["source.engine", "engine"],
  ["source.exclude", "exclude"],
  ["source.connection", "sourceConnection"],
  ["source.database", "database"],
  ["source.method", "method"],
  ["source.restic_repository", "resticRepository"],
  ["source", "path"],
  ["repository", "repository"],
  ["connection", "connection"],
  ["timezone", "timezone"],
  ["cron", "cron"],
  ["every", "every"],
  ["preset", "preset"],
  ["levels.incremental", "incremental"],
  ["levels.differential", "differential"],
  ["levels.archive_log", "archiveLog"],
  ["levels", "full"],
  ["after", "after"],
  ["window", "days"],
  ["retention.daily", "daily"],
  ["retention.weekly", "weekly"],
  ["retention.monthly", "monthly"],
  ["retention", "last"],
  ["retry.delay", "retryDelay"],
  ["retry", "retries"],
  ["alert_after", "alertAfter"],
];

export const placeOf = (field: string): keyof Form | null =>
  PLACES.find(([key]) => field === key || field.startsWith(`${key}.`))?.[1] ?? null;

export type Sorted = { elsewhere: FieldProblem[]; fields: Partial<Record<keyof Form, FieldProblem>> };

/** Put each problem where it belongs; the rest is said above the form. */
export const sortProblems = (problems: readonly FieldProblem[], engine: string): Sorted => {
  const sorted: Sorted = { elsewhere: [], fields: {} };

  for (const problem of problems) {
    const place = placeOf(problem.field);
    const isHidden = ALL_SOURCE_FIELDS.has(place ?? "") && !(SOURCE_FIELDS[engine] ?? []).includes(place as SourceField);

    if (place === null || isHidden) {
      sorted.elsewhere.push(problem);
    } else {
      sorted.fields[place] ??= problem;
    }
  }

  return sorted;
};
