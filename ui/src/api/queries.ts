import { keepPreviousData, QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { serverNow } from "../clock";
import { ApiError, get, post } from "./client";
import type { Cancelled, NextRunList, RunList, ScheduleDetail, ScheduleList, Started, Status, Toggled } from "./types";

const LIVE = 2_000;
const IDLE = 20_000;

/** Starts and ends are seen by the list of active runs; it looks a little more often than the rest. */
const WATCH = 10_000;

export const createClient = (): QueryClient =>
  new QueryClient({
    defaultOptions: {
      queries: {
        refetchInterval: IDLE,
        retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
        staleTime: 1_000,
      },
    },
  });

export type ListQuery = { limit: number; offset: number; q: string; sort: string; state: string };

export const useStatus = () =>
  useQuery({ queryFn: ({ signal }) => get<Status>("status", {}, signal), queryKey: ["backup", "status"] });

export const useSchedules = (query: ListQuery) =>
  useQuery({
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => get<ScheduleList>("schedules", query, signal),
    queryKey: ["backup", "schedules", query],
  });

export const useSchedule = (id: string) =>
  useQuery({
    queryFn: ({ signal }) => get<ScheduleDetail>(`schedules/${encodeURIComponent(id)}`, {}, signal),
    queryKey: ["backup", "schedule", id],
  });

export const useRuns = (id: string, limit: number) =>
  useQuery({
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => get<RunList>(`schedules/${encodeURIComponent(id)}/runs`, { limit }, signal),
    queryKey: ["backup", "runs", id, limit],
  });

export const useNextRuns = (id: string, count: number) =>
  useQuery({
    queryFn: ({ signal }) => get<NextRunList>(`schedules/${encodeURIComponent(id)}/next`, { count }, signal),
    queryKey: ["backup", "next", id, count],
    refetchInterval: 60_000,
  });

/** What runs now: every two seconds while something does. */
export const useActiveRuns = () =>
  useQuery({
    queryFn: ({ signal }) => get<RunList>("runs/active", {}, signal),
    queryKey: ["backup", "active"],
    refetchInterval: (query) => ((query.state.data?.runs.length ?? 0) > 0 ? LIVE : WATCH),
  });

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

const refreshAll = async (client: QueryClient): Promise<void> => client.invalidateQueries({ queryKey: ["backup"] });

const refreshAllButActive = async (client: QueryClient): Promise<void> =>
  client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "backup" && queryKey[1] !== "active" });

export const useToggle = (id: string) => {
  const client = useQueryClient();

  return useMutation({
    mutationFn: async (enabled: boolean) => post<Toggled>(`schedules/${encodeURIComponent(id)}/toggle`, { enabled }),
    onSettled: async () => refreshAll(client),
  });
};

export const useRunNow = (id: string) => {
  const client = useQueryClient();

  return useMutation({
    mutationFn: async (kind: string | null) =>
      post<Started>(`schedules/${encodeURIComponent(id)}/run`, kind === null ? {} : { kind }),
    onSettled: async () => refreshAll(client),
  });
};

export const useCancel = () => {
  const client = useQueryClient();

  return useMutation({
    mutationFn: async ({ dagId, runId }: { dagId: string; runId: string }) =>
      post<Cancelled>(`runs/${encodeURIComponent(dagId)}/${encodeURIComponent(runId)}/cancel`),
    onSettled: async () => refreshAll(client),
  });
};
