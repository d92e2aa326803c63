import {
  keepPreviousData,
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { serverNow } from "../clock";
import { ApiError, changeVersion, get, post, remove } from "./client";
import type {
  BulkResults,
  CancelledRun,
  Controlled,
  CoverageList,
  DayStrips,
  Deleted,
  EngineList,
  EventList,
  HoldInfo,
  ImportConflict,
  ImportResults,
  Lifted,
  ListState,
  MaintenanceState,
  NextRunList,
  ReceiverList,
  PlaceList,
  RecoveryPlan,
  RetentionView,
  RunDetail,
  RunList,
  RunPage,
  ScheduleDetail,
  ScheduleList,
  SetList,
  Started,
  Status,
  TemplateList,
  Tested,
  Timeline,
  Toggled,
  Validation,
  VerificationLevel,
  VersionList,
} from "./types";

const LIVE = 2_000;
const IDLE = 20_000;

/** Starts and ends are seen by the list of active runs; it looks a little more often than the rest. */
const WATCH = 10_000;

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

export type ListQuery = { limit: number; offset: number; q: string; sort: string; state: ListState };

export const useStatus = () =>
  useQuery({ queryFn: ({ signal }) => get<Status>("status", {}, signal), queryKey: ["backup", "status"] });

/** Which connections no schedule protects; asked only where the status says that there are some. */
export const useCoverage = (isAsked: boolean) =>
  useQuery({
    enabled: isAsked,
    queryFn: ({ signal }) => get<CoverageList>("coverage", {}, signal),
    queryKey: ["backup", "coverage"],
  });

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
    structuralSharing: false, // it would make something else of numbers that are kept as text
  });

export const useRuns = (id: string, limit: number) =>
  useQuery({
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => get<RunList>(`schedules/${encodeURIComponent(id)}/runs`, { limit }, signal),
    queryKey: ["backup", "runs", id, limit],
  });

export type RunQuery = { after: string; q: string; status: string; trigger: string };

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
    mutationFn: async ({ dagId, reason, runId }: { dagId: string; reason: string | null; runId: string }) =>
      post<CancelledRun>(`runs/${encodeURIComponent(dagId)}/${encodeURIComponent(runId)}/cancel`, { reason }),
    onSettled: async () => refreshAll(client),
  });
};

/** Each attempt of a run, and what people told it. */
export const useRun = (dagId: string, runId: string) =>
  useQuery({
    queryFn: ({ signal }) =>
      get<RunDetail>(`runs/${encodeURIComponent(dagId)}/${encodeURIComponent(runId)}`, {}, signal),
    queryKey: ["backup", "run", dagId, runId],
  });

export const useTimeline = () =>
  useQuery({
    queryFn: ({ signal }) => get<Timeline>("timeline", { hours: 24 }, signal),
    queryKey: ["backup", "timeline"],
    refetchInterval: 60_000,
  });

/** How the past days went, on the clock of whoever looks. */
export const useDays = (ids: readonly string[]) =>
  useQuery({
    enabled: ids.length > 0,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      get<DayStrips>("days", { count: 30, ids, offset: -new Date().getTimezoneOffset() }, signal),
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

const useChange = <Given, Answer>(mutationFn: (given: Given) => Promise<Answer>) => {
  const client = useQueryClient();

  return useMutation({ mutationFn, onSettled: async () => refreshAll(client) });
};

export type Saving = { definition: Record<string, unknown>; version: number | null };

/** Make a schedule, or give the version that was shown another definition. */
export const useSave = () =>
  useChange(async ({ definition, version }: Saving) =>
    version === null
      ? post<ScheduleDetail>("schedules", definition)
      : changeVersion<ScheduleDetail>(
          "PUT",
          `schedules/${encodeURIComponent(String(definition.id))}`,
          version,
          definition,
        ),
  );

export const useClone = (id: string) =>
  useChange(async (copy: string) => post<ScheduleDetail>(`schedules/${encodeURIComponent(id)}/clone`, { id: copy }));

export const useDelete = (id: string) =>
  useChange(async (version: number) =>
    changeVersion<Deleted>("DELETE", `schedules/${encodeURIComponent(id)}`, version),
  );

export type Import = { on_conflict: ImportConflict; yaml: string };

/** What would become of each schedule of a file; nothing is saved. */
export const useImportCheck = () =>
  useMutation({ mutationFn: async (body: Import) => post<ImportResults>("import", { ...body, dry_run: true }) });

export const useImport = () => useChange(async (body: Import) => post<ImportResults>("import", body));

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

export const useSkipNext = (id: string) =>
  useChange(async () => post<HoldInfo>(`schedules/${encodeURIComponent(id)}/skip-next`));

export const usePauseUntil = (id: string) =>
  useChange(async (body: { reason: string | null; until: string }) =>
    post<HoldInfo>(`schedules/${encodeURIComponent(id)}/pause`, body),
  );

export type MaintenanceChange = { enabled: boolean; reason?: string; until?: string };

export const useReceivers = () =>
  useQuery({ queryFn: ({ signal }) => get<ReceiverList>("receivers", {}, signal), queryKey: ["backup", "receivers"] });

export const useTestMessage = () =>
  useChange(async (name: string) => post<Tested>(`receivers/${encodeURIComponent(name)}/test`, {}));

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

export const useMaintenance = () =>
  useChange(async (body: MaintenanceChange) => post<MaintenanceState>("maintenance", body));

export const useLift = (id: string) =>
  useChange(async (hold: number) => remove<Lifted>(`schedules/${encodeURIComponent(id)}/holds/${hold}`));

export type BulkAction = "disable" | "enable" | "pause" | "run" | "skip_next";

export const useBulk = () =>
  useChange(async (body: { action: BulkAction; ids: readonly string[]; until?: string }) =>
    post<BulkResults>("schedules/bulk", body),
  );

export const useControl = () =>
  useChange(async ({ dagId, pause, runId }: { dagId: string; pause: boolean; runId: string }) =>
    post<Controlled>(`runs/${encodeURIComponent(dagId)}/${encodeURIComponent(runId)}/${pause ? "pause" : "resume"}`),
  );

/** Lets every backup that runs wait, or every one that waits go on. */
export const useControlAll = () =>
  useChange(async (pause: boolean) => post<BulkResults>(`runs/active/${pause ? "pause" : "resume"}`));

export const useSets = (id: string, limit: number) =>
  useQuery({
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => get<SetList>(`schedules/${encodeURIComponent(id)}/sets`, { limit }, signal),
    queryKey: ["backup", "sets", id, limit],
  });

export const useRetention = (id: string) =>
  useQuery({
    queryFn: ({ signal }) => get<RetentionView>(`schedules/${encodeURIComponent(id)}/retention`, {}, signal),
    queryKey: ["backup", "retention", id],
    refetchInterval: 60_000,
  });

/** What brings the source back to a moment; null asks nothing. */
export const useRecovery = (id: string, at: string | null) =>
  useQuery({
    enabled: at !== null,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      get<RecoveryPlan>(`schedules/${encodeURIComponent(id)}/recovery-path`, { at: at ?? "" }, signal),
    queryKey: ["backup", "recovery", id, at],
  });

export const useVerifySet = () =>
  useChange(async ({ level, setId }: { level: VerificationLevel; setId: string }) =>
    post<Started>(`sets/${encodeURIComponent(setId)}/verify`, { level }),
  );

/** The workers that a restore can be sent to. */
export const usePlaces = () =>
  useQuery({
    queryFn: ({ signal }) => get<PlaceList>("places", {}, signal),
    queryKey: ["backup", "places"],
  });

export const useRestoreSet = () =>
  useChange(
    async ({ setId, ...body }: { at: string; confirm: string; place?: string; setId: string; target: string }) =>
      post<Started>(`sets/${encodeURIComponent(setId)}/restore`, body),
  );
