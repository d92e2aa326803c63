import { setServerTime } from "../clock";
import { readExactly } from "../exact";
import type { FieldProblem } from "./types";

/** A refused or failed request, in the words of the server's problem document. */
export class ApiError extends Error {
  readonly fields: readonly FieldProblem[];
  readonly hint: string | null;
  readonly status: number;

  constructor(status: number, message: string, hint: string | null = null, fields: readonly FieldProblem[] = []) {
    super(message);
    this.fields = fields;
    this.name = "ApiError";
    this.status = status;
    this.hint = hint;
  }
}

type Query = Record<string, boolean | number | readonly string[] | string | null | undefined>;

/** The address of something of ours, wherever Airflow is mounted: the page's base says where. */
export const apiUrl = (path: string, query: Query = {}): string => {
  const url = new URL(`backup/api/v1/${path}`, document.baseURI);

  for (const [key, value] of Object.entries(query)) {
    if (typeof value === "object" && value !== null) {
      value.forEach((one) => url.searchParams.append(key, one));
    } else if (value !== undefined && value !== null && value !== "") {
      url.searchParams.set(key, String(value));
    }
  }

  return url.href;
};

export const hostUrl = (path: string): string => new URL(path, document.baseURI).href;

export const get = async <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  request<T>(apiUrl(path, query), { ...(signal === undefined ? {} : { signal }) });

/** Every change carries a JSON object, even an empty one: the server takes nothing else. */
export const post = async <T>(path: string, body: Record<string, unknown> = {}, signal?: AbortSignal): Promise<T> =>
  change<T>("POST", path, body, {}, signal);

/** A change of the version that was shown; refused when somebody else was faster. */
export const changeVersion = async <T>(
  method: "DELETE" | "PUT",
  path: string,
  version: number,
  body: Record<string, unknown> = {},
): Promise<T> => change<T>(method, path, body, { "If-Match": `"${version}"` });

export const remove = async <T>(path: string): Promise<T> => change<T>("DELETE", path, {}, {});

const change = async <T>(
  method: string,
  path: string,
  body: Record<string, unknown>,
  headers: Record<string, string>,
  signal?: AbortSignal,
): Promise<T> =>
  request<T>(apiUrl(path), {
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Backup-Client": "page", ...headers },
    method,
    ...(signal === undefined ? {} : { signal }),
  });

const request = async <T>(url: string, init: RequestInit): Promise<T> => {
  let response: Response;

  try {
    response = await fetch(url, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") {
      throw error;
    }
    throw new ApiError(0, "the server does not answer", "is Airflow's API server running?");
  }

  if (response.status === 401) {
    goToLogin();
  }
  const body = await response.text().then(read, () => null);

  if (!response.ok) {
    throw problem(response.status, body);
  }
  if (isRecord(body) && typeof body.now === "string") {
    setServerTime(body.now);
  }

  return body as T;
};

/** What a schedule says goes back as it came; all other numbers are for reading. */
const read = (text: string): unknown => {
  try {
    const body: unknown = JSON.parse(text);

    return isRecord(body) && isRecord(body.definition)
      ? { ...body, definition: (readExactly(text) as typeof body).definition }
      : body;
  } catch {
    return null;
  }
};

const problem = (status: number, body: unknown): ApiError => {
  const document = isRecord(body) ? body : {};
  const { detail, errors, hint } = document;

  return new ApiError(
    status,
    typeof detail === "string" ? detail : `the server answered ${status}`,
    typeof hint === "string" ? hint : null,
    Array.isArray(errors) ? (errors as FieldProblem[]).map((one) => ({ ...one, hint: one.hint ?? null })) : [],
  );
};

export const goToLogin = (): void => {
  const login = new URL("api/v2/auth/login", document.baseURI);

  login.searchParams.set("next", window.location.href);
  window.location.assign(login.href);
};

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
