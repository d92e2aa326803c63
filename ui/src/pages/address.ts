import { useCallback } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router-dom";

import { type RunChoice, runChoice } from "../runs/RunsPanel";
import { listState } from "../schedules/Toolbar";

export const RUNS = "runs";

type Change = Partial<RunChoice> & { offset?: number; sort?: string; state?: string; view?: string };

/** The address bar holds what is shown, so that a link shows the same to somebody else. */
export const useAddress = () => {
  const { "*": rest = "", page = "backup" } = useParams();
  const [search, setSearch] = useSearchParams();
  const navigate = useNavigate();
  const root = `/plugin/${page}`;
  const query = search.toString();
  const go = useCallback((path: string) => void navigate({ pathname: path, search: query }), [navigate, query]);
  const set = useCallback(
    (change: Change) =>
      setSearch(
        (before) => {
          const after = new URLSearchParams(before);

          if (change.offset === undefined) {
            after.delete("offset");
          }
          for (const [key, value] of Object.entries(change)) {
            if (value === "" || value === 0) {
              after.delete(key);
            } else {
              after.set(key, String(value));
            }
          }

          return after;
        },
        { replace: true },
      ),
    [setSearch],
  );

  return {
    choice: runChoice(search),
    drawer: {
      close: () => go(root),
      id: rest === "" ? null : decoded(rest),
      open: (id: string) => go(`${root}/${encodeURIComponent(id)}`),
    },
    offset: Number(search.get("offset") ?? 0) || 0,
    q: search.get("q") ?? "",
    set,
    sort: search.get("sort") ?? "id",
    state: listState(search.get("state")),
    view: search.get("view") === RUNS ? RUNS : "schedules",
  };
};

/** What an address names; one that was typed with a stray percent sign names just what it says. */
const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
