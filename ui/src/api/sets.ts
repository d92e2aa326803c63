import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { isOver } from "../words";
import { get } from "./client";
import { IDLE, LIVE } from "./refresh";
import type { PlaceList, RecoveryPlan, RequestedRunList, RetentionView, SetDetail, SetList } from "./types";

/** As many as the server gives at once: a chain is drawn whole. */
export const MOST_SETS = 500;

export const useSets = (id: string) =>
  useQuery({
    queryFn: ({ signal }) => get<SetList>(`schedules/${encodeURIComponent(id)}/sets`, { limit: MOST_SETS }, signal),
    queryKey: ["backup", "sets", id],
    refetchInterval: 60_000,
  });

export const useSet = (id: string) =>
  useQuery({
    queryFn: ({ signal }) => get<SetDetail>(`sets/${encodeURIComponent(id)}`, {}, signal),
    queryKey: ["backup", "set", id],
    refetchInterval: 60_000,
  });

/** What is kept by the schedule's own rules, or by others that are tried, as JSON. */
export const useRetention = (id: string, policy: string | null = null) =>
  useQuery({
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      get<RetentionView>(`schedules/${encodeURIComponent(id)}/retention`, { policy }, signal),
    queryKey: ["backup", "retention", id, policy],
    refetchInterval: 60_000,
  });

/** The restores and verifications that people asked for: every two seconds while one goes on. */
export const useRequests = (id: string) => {
  const client = useQueryClient();
  const asked = useQuery({
    queryFn: ({ signal }) => get<RequestedRunList>(`schedules/${encodeURIComponent(id)}/requests`, {}, signal),
    queryKey: ["backup", "requests", id],
    refetchInterval: ({ state }) => (state.data?.runs.every(isOver) === false ? LIVE : IDLE),
  });
  const over = asked.data?.runs
    .filter(isOver)
    .map(({ run_id: id }) => id)
    .join();
  const seen = useRef(over);

  // One is over: what is proven of its set, or how long a restore takes, is not what it was.
  useEffect(() => {
    if (over !== seen.current && seen.current !== undefined) {
      ["sets", "set", "recovery"].forEach((what) => void client.invalidateQueries({ queryKey: ["backup", what] }));
    }
    seen.current = over;
  }, [client, over]);

  return asked;
};

/** What brings the source back to a moment; null asks nothing. */
export const useRecovery = (id: string, at: string | null) =>
  useQuery({
    enabled: at !== null,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      get<RecoveryPlan>(`schedules/${encodeURIComponent(id)}/recovery-path`, { at: at ?? "" }, signal),
    queryKey: ["backup", "recovery", id, at],
  });

/** The workers that a restore can be sent to. */
export const usePlaces = () =>
  useQuery({
    queryFn: ({ signal }) => get<PlaceList>("places", {}, signal),
    queryKey: ["backup", "places"],
  });
