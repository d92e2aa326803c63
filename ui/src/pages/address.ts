import { useCallback } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router-dom";

import { type RunChoice, runChoice } from "../runs/RunsPanel";
import { listChoice, type ListChoice } from "../schedules/choice";

export const RUNS = "runs";

type Change = Partial<ListChoice> &
  Partial<RunChoice> & { by?: string; offset?: number; sort?: string; view?: string };

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
        // What is typed letter by letter would fill the history; a choice is undone by the way back.
        { replace: "q" in change },
      ),
    [setSearch],
  );

  return {
    byGroup: search.get("by") === "group",
    choice: runChoice(search),
    drawer: {
      close: () => go(root),
      id: rest === "" ? null : decoded(rest),
      open: (id: string) => go(`${root}/${encodeURIComponent(id)}`),
    },
    narrowed: listChoice(search),
    offset: Number(search.get("offset") ?? 0) || 0,
    set,
    sort: search.get("sort") ?? "id",
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
