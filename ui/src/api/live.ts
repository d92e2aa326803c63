import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { serverNow } from "../clock";
import { get } from "./client";
import { useActiveRuns } from "./queries";
import { IDLE, LIVE, WATCH, refreshAll, refreshAllButActive } from "./refresh";
import type { EventList } from "./types";

/** Longer than this without an answer, and what is shown may be over: two looks that brought nothing. */
const STALE = 2.25 * IDLE;

type Asked = {
  data: { now: string } | undefined;
  dataUpdatedAt: number;
  failureCount: number;
  failureReason: Error | null;
};

/** What is shown is of `at`, on the server's clock, and why nothing newer came; null while the server answers. */
export type Stale = { at: number; why: string | null } | null;

export const useStale = ({ data, dataUpdatedAt, failureCount, failureReason }: Asked): Stale => {
  const [oldAt, setOldAt] = useState(0);

  useEffect(() => {
    const timer = setTimeout(() => setOldAt(dataUpdatedAt), Math.max(dataUpdatedAt + STALE - Date.now(), 0));

    return () => clearTimeout(timer);
  }, [dataUpdatedAt]);

  return data !== undefined && (failureCount > 0 || oldAt === dataUpdatedAt)
    ? { at: Date.parse(data.now), why: failureReason?.message ?? null }
    : null;
};

/** Look at everything again whenever a run starts, ends or changes its state, and when one is due. */
export const useLiveRefresh = (nextDue: string | null): void => {
  const client = useQueryClient();
  const { data } = useActiveRuns();
  const signature = data?.runs.map((run) => `${run.run_id}:${run.status}:${run.attempts}`).join() ?? null;

  useEffect(() => {
    if (signature !== null) {
      void refreshAllButActive(client);
    }
  }, [client, signature]);

  useEffect(() => {
    const wait = nextDue === null ? NaN : Date.parse(nextDue) - serverNow() + LIVE;

    if (Number.isNaN(wait) || wait > 86_400_000) {
      return undefined;
    }
    const timer = setTimeout(() => void refreshAll(client), Math.max(wait, LIVE));

    return () => clearTimeout(timer);
  }, [client, nextDue]);
};

/** What happened since the page was opened: each event once, as every other reader of the feed sees it. */
export const useFeed = (onEvents: (events: EventList["events"]) => void) => {
  const cursor = useRef<number | null>(null);
  const feed = useQuery({
    queryFn: async ({ signal }) => {
      const after = cursor.current ?? Number.MAX_SAFE_INTEGER;

      return { after, ...(await get<EventList>("events", { after }, signal)) };
    },
    queryKey: ["backup", "events"],
    refetchInterval: WATCH,
  });
  const { data } = feed;

  useEffect(() => {
    if (data === undefined || (cursor.current !== null && data.after !== cursor.current)) {
      return;
    }
    if (cursor.current === null) {
      cursor.current = data.newest;
    } else if (data.cursor !== cursor.current) {
      cursor.current = data.cursor;
      onEvents(data.events);
    }
  }, [data, onEvents]);
};
