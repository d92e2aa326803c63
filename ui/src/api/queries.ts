import { keepPreviousData, useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";

import { get, post } from "./client";
import { tailOf, tasksOf } from "./host";
import { IDLE, LIVE, WATCH } from "./refresh";
import type {
  CoverageList,
  DayStrips,
  EngineList,
  ListState,
  NextRunList,
  ReceiverList,
  Run,
  RunDetail,
  RunList,
  RunPage,
  ScheduleDetail,
  ScheduleIds,
  ScheduleList,
  Status,
  TemplateList,
  Timeline,
  Trend,
  Validation,
  VersionList,
} from "./types";

export type ListQuery = {
  by_group: boolean;
  group: string;
  limit: number;
  offset: number;
  q: string;
  sort: string;
  source: string;
  state: ListState;
  tag: string;
};

export const useStatus = () =>
  useQuery({ queryFn: ({ signal }) => get<Status>("status", {}, signal), queryKey: ["backup", "status"] });

/** Which connections no schedule protects; asked only where the status says that there are some. */
export const useCoverage = (isAsked: boolean) =>
  useQuery({
    enabled: isAsked,
    queryFn: ({ signal }) => get<CoverageList>("coverage", {}, signal),
    queryKey: ["backup", "coverage"],
  });

export const useSchedules = (query: ListQuery) =>
  useQuery({
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => get<ScheduleList>("schedules", query, signal),
    queryKey: ["backup", "schedules", query],
  });

/** Names all that match, when somebody wants to act on all of them. */
export const useAllIds = () =>
  useMutation({
    mutationFn: async (choice: Pick<ListQuery, "group" | "q" | "source" | "state" | "tag">) =>
      get<ScheduleIds>("schedule-ids", choice),
  });

export const useSchedule = (id: string) =>
  useQuery({
    queryFn: ({ signal }) => get<ScheduleDetail>(`schedules/${encodeURIComponent(id)}`, {}, signal),
    queryKey: ["backup", "schedule", id],
    structuralSharing: false, // it would make something else of numbers that are kept as text
  });

export const useRuns = (id: string, limit: number) =>
  useQuery({
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => get<RunList>(`schedules/${encodeURIComponent(id)}/runs`, { limit }, signal),
    queryKey: ["backup", "runs", id, limit],
  });

export type RunQuery = {
  after: string;
  group: string;
  kind: string;
  q: string;
  source: string;
  status: string;
  trigger: string;
};

const RUNS = 30;

/** The runs of all schedules, page after page; the ones that are shown are asked for again only while they are few. */
export const useAllRuns = (query: RunQuery) =>
  useInfiniteQuery({
    getNextPageParam: (last: RunPage) => last.next_cursor,
    initialPageParam: null as string | null,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) => get<RunPage>("runs", { ...query, cursor: pageParam, limit: RUNS }, signal),
    queryKey: ["backup", "all-runs", query],
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 3 ? false : IDLE),
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

/** Each attempt of a run, and what people told it. */
export const useRun = (dagId: string, runId: string) =>
  useQuery({
    queryFn: ({ signal }) =>
      get<RunDetail>(`runs/${encodeURIComponent(dagId)}/${encodeURIComponent(runId)}`, {}, signal),
    queryKey: ["backup", "run", dagId, runId],
  });

/** How often the end of a log is read while its run goes on. */
const WRITTEN = 2 * LIVE;

/** The tasks of a run that were tried, as Airflow knows them. */
export const useTasks = ({ dag_id: dagId, run_id: runId, status }: Run, isLive: boolean) =>
  useQuery({
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => tasksOf(dagId, runId, signal),
    queryKey: ["backup", "tasks", dagId, runId, status],
    refetchInterval: isLive ? WRITTEN : false,
  });

/** The end of the log of one attempt. */
export const useLogTail = (
  { dag_id: dagId, run_id: runId, status }: Run,
  { attempt, task }: { attempt: number; task: string },
  most: number,
  isLive: boolean,
) =>
  useQuery({
    queryFn: ({ signal }) => tailOf({ attempt, dagId, runId, task }, most, signal),
    queryKey: ["backup", "log", dagId, runId, task, attempt, status],
    refetchInterval: isLive ? WRITTEN : false,
  });

export const useTimeline = (hours: number, lanes: number, isAsked: boolean) =>
  useQuery({
    enabled: isAsked,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => get<Timeline>("timeline", { hours, lanes }, signal),
    queryKey: ["backup", "timeline", hours, lanes],
    refetchInterval: 60_000,
  });

/** The last runs of a schedule in figures. */
export const useTrend = (id: string, isAsked: boolean) =>
  useQuery({
    enabled: isAsked,
    queryFn: ({ signal }) => get<Trend>(`schedules/${encodeURIComponent(id)}/trend`, { count: 60 }, signal),
    queryKey: ["backup", "trend", id],
    refetchInterval: 60_000,
  });

/** How far the clock of whoever looks is ahead, in minutes. */
const ahead = (): number => -new Date().getTimezoneOffset();

/** A year of one schedule, day by day. */
export const useYear = (id: string) =>
  useQuery({
    queryFn: ({ signal }) => get<DayStrips>("days", { count: 366, ids: [id], offset: ahead() }, signal),
    queryKey: ["backup", "year", id],
    refetchInterval: 120_000,
  });

/** How the past days went, on the clock of whoever looks. */
export const useDays = (ids: readonly string[]) =>
  useQuery({
    enabled: ids.length > 0,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => get<DayStrips>("days", { count: 30, ids, offset: ahead() }, signal),
    queryKey: ["backup", "days", ...ids],
    refetchInterval: 120_000,
  });

export const useVersions = (id: string) =>
  useQuery({
    queryFn: ({ signal }) => get<VersionList>(`schedules/${encodeURIComponent(id)}/versions`, {}, signal),
    queryKey: ["backup", "versions", id],
  });

/** What the server thinks of a definition, a moment after the last keystroke. */
export const useValidation = (body: Record<string, unknown> | null) =>
  useQuery({
    enabled: body !== null,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => post<Validation>("schedules/validate", body ?? {}, signal),
    queryKey: ["backup-validate", JSON.stringify(body)],
    refetchInterval: false,
    structuralSharing: false, // as above
    staleTime: 60_000,
  });

/** Whole schedules to begin with; they change with a release only. */
export const useTemplates = () =>
  useQuery({
    queryFn: ({ signal }) => get<TemplateList>("templates", {}, signal),
    queryKey: ["backup-templates"],
    refetchInterval: false,
    staleTime: Infinity,
  });

/** The engines and the options of their sources; they change with what is installed only. */
export const useEngines = () =>
  useQuery({
    queryFn: ({ signal }) => get<EngineList>("engines", {}, signal),
    queryKey: ["backup-engines"],
    refetchInterval: false,
    select: ({ engines }) => engines,
    staleTime: Infinity,
  });

export const useReceivers = () =>
  useQuery({ queryFn: ({ signal }) => get<ReceiverList>("receivers", {}, signal), queryKey: ["backup", "receivers"] });
