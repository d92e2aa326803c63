import { formatClock } from "../format";
import { ApiError, goToLogin, hostUrl } from "./client";

/** A task of a run, as Airflow's own API tells it. */
export type TaskInstance = {
  readonly map_index: number;
  readonly start_date: string | null;
  readonly state: string | null;
  readonly task_id: string;
  readonly try_number: number;
};

/** What one attempt of a task wrote, its last lines. */
export type LogTail = {
  /** Whether there were more lines before these. */
  readonly isCut: boolean;
  readonly lines: readonly string[];
};

const ask = async (path: string, accept: string, signal: AbortSignal): Promise<Response> => {
  let response: Response;

  try {
    response = await fetch(hostUrl(path), { credentials: "same-origin", headers: { Accept: accept }, signal });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") {
      throw error;
    }
    throw new ApiError(0, "the server does not answer", "is Airflow's API server running?");
  }
  if (response.status === 401) {
    goToLogin();
  }
  if (!response.ok) {
    throw new ApiError(response.status, REFUSED[response.status] ?? `the server answered ${response.status}`);
  }

  return response;
};

const REFUSED: Record<number, string> = {
  403: "your role may not read it",
  404: "Airflow has it no more, or not yet",
};

const runPath = (dagId: string, runId: string): string =>
  `api/v2/dags/${encodeURIComponent(dagId)}/dagRuns/${encodeURIComponent(runId)}/taskInstances`;

/** The tasks of a run that were tried. */
export const tasksOf = async (dagId: string, runId: string, signal: AbortSignal): Promise<TaskInstance[]> => {
  const response = await ask(`${runPath(dagId, runId)}?limit=50`, "application/json", signal);
  const { task_instances: found } = (await response.json()) as { task_instances: TaskInstance[] };

  return found.filter((task) => task.try_number > 0 && task.map_index < 0);
};

/** The last lines that an attempt of a task wrote: read to the end, and no more kept than is shown. */
export const tailOf = async (
  { attempt, dagId, runId, task }: { attempt: number; dagId: string; runId: string; task: string },
  most: number,
  signal: AbortSignal,
): Promise<LogTail> => {
  const path = `${runPath(dagId, runId)}/${encodeURIComponent(task)}/logs/${attempt}`;
  const response = await ask(path, "application/x-ndjson", signal);
  let lines: string[] = [];
  let count = 0;
  const add = (text: string): void => {
    const read = lineOf(text)?.split("\n") ?? [];

    count += read.length;
    lines.push(...read);
    if (lines.length > 2 * most) {
      lines = lines.slice(-most);
    }
  };

  if (response.body === null) {
    return { isCut: false, lines };
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";

  for (;;) {
    const { done, value } = await reader.read();

    if (done) {
      break;
    }
    const parts = `${rest}${value}`.split("\n");

    rest = parts.pop() ?? "";
    parts.forEach(add);
  }
  add(rest);

  return { isCut: count > most, lines: lines.slice(-most) };
};

/** Of what Airflow wrote about the line and nobody asks for here. */
const UNSAID = new Set(["chan", "error_detail", "event", "filename", "level", "lineno", "logger", "loc", "timestamp"]);

const clockOf = (timestamp: string): string =>
  Number.isNaN(Date.parse(timestamp)) ? timestamp : formatClock(Date.parse(timestamp));

type Cause = { exc_type?: string; exc_value?: string };

const causeText = ({ exc_type: what, exc_value: why }: Cause): string => `${what ?? ""}: ${why ?? ""}`;

/** One message of a log as text; null of what is none. */
export const lineOf = (text: string): string | null => {
  if (text.trim() === "") {
    return null;
  }
  try {
    const message: unknown = JSON.parse(text);

    if (typeof message !== "object" || message === null) {
      return String(message);
    }
    const { error_detail: causes, event, level, timestamp, ...more } = message as Record<string, unknown>;

    if (typeof event !== "string" || event === "::endgroup::" || event.startsWith("::group::")) {
      return null;
    }
    const said = Object.entries(more).filter(([key]) => !UNSAID.has(key) && key !== "sources");

    return [
      [
        typeof timestamp === "string" ? clockOf(timestamp) : "",
        typeof level === "string" ? level.toUpperCase() : "",
        event,
        ...said.map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`),
      ]
        .filter(Boolean)
        .join(" "),
      ...(Array.isArray(causes) ? (causes as Cause[]).map(causeText) : []),
    ].join("\n");
  } catch {
    return text;
  }
};
