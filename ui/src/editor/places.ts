import type { EngineInfo, FieldProblem } from "../api/types";
import type { Form } from "./form";
import { placeOfKey, placeOfWords } from "./sources";

/** Where on the form a key of the definition stands; the first that fits wins. */
const PLACES: readonly (readonly [string, keyof Form])[] = [
  ["id", "id"],
  ["description", "description"],
  ["group", "group"],
  ["tags", "tags"],
  ["source.engine", "engine"],
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

/** Where the form asks for what a problem is about; null where it does not. */
export const placeOf = (
  { field, message }: FieldProblem,
  engines: readonly EngineInfo[],
  engine: string,
): keyof Form | null => {
  const [key = "", option = ""] = field.split(".");

  if (key === "source" && option !== "engine") {
    return option === "" ? placeOfWords(engines, engine, message) : placeOfKey(engines, engine, option);
  }

  return PLACES.find(([name]) => field === name || field.startsWith(`${name}.`))?.[1] ?? null;
};

export type Sorted = { elsewhere: FieldProblem[]; fields: Partial<Record<keyof Form, FieldProblem>> };

/** Put each problem where it belongs; the rest is said above the form. */
export const sortProblems = (
  problems: readonly FieldProblem[],
  engines: readonly EngineInfo[],
  engine: string,
): Sorted => {
  const sorted: Sorted = { elsewhere: [], fields: {} };

  for (const problem of problems) {
    const place = placeOf(problem, engines, engine);

    if (place === null) {
      sorted.elsewhere.push(problem);
    } else {
      sorted.fields[place] ??= problem;
    }
  }

  return sorted;
};
