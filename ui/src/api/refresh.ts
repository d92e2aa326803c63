import { QueryClient } from "@tanstack/react-query";

import { ApiError } from "./client";

/** How often the page asks, in milliseconds: while something runs, and while nothing does. */
export const LIVE = 2_000;

export const IDLE = 20_000;

/** Starts and ends are seen by the list of active runs; it looks a little more often than the rest. */
export const WATCH = 10_000;

export const createClient = (): QueryClient =>
  new QueryClient({
    defaultOptions: {
      // A change that waited for the network would be made when nobody expects it any more.
      mutations: { networkMode: "always" },
      queries: {
        // The browser's guess at whether there is a network hides that the server does not answer.
        networkMode: "always",
        refetchInterval: IDLE,
        retry: (failures, error) =>
          failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
        staleTime: 1_000,
      },
    },
  });

export const refreshAll = async (client: QueryClient): Promise<void> =>
  client.invalidateQueries({ queryKey: ["backup"] });

export const refreshAllButActive = async (client: QueryClient): Promise<void> =>
  client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "backup" && queryKey[1] !== "active" });
