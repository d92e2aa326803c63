import { useMutation, useQueryClient } from "@tanstack/react-query";

import { changeVersion, post, remove } from "./client";
import { refreshAll } from "./refresh";
import type {
  BulkResults,
  CancelledRun,
  Controlled,
  Deleted,
  HoldInfo,
  ImportConflict,
  ImportResults,
  Lifted,
  MaintenanceState,
  Pinned,
  ScheduleDetail,
  Started,
  Tested,
  Toggled,
  VerificationLevel,
} from "./types";

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
    mutationFn: async ({ kind, note }: { kind?: string | null; note?: string | null }) =>
      post<Started>(`schedules/${encodeURIComponent(id)}/run`, {
        ...(kind == null ? {} : { kind }),
        ...(note == null ? {} : { note }),
      }),
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

export const useSkipNext = (id: string) =>
  useChange(async () => post<HoldInfo>(`schedules/${encodeURIComponent(id)}/skip-next`));

export const usePauseUntil = (id: string) =>
  useChange(async (body: { reason: string | null; until: string }) =>
    post<HoldInfo>(`schedules/${encodeURIComponent(id)}/pause`, body),
  );

export type MaintenanceChange = { enabled: boolean; reason?: string; until?: string };

export const useTestMessage = () =>
  useChange(async (name: string) => post<Tested>(`receivers/${encodeURIComponent(name)}/test`, {}));

export const useMaintenance = () =>
  useChange(async (body: MaintenanceChange) => post<MaintenanceState>("maintenance", body));

export const useLift = (id: string) =>
  useChange(async (hold: number) => remove<Lifted>(`schedules/${encodeURIComponent(id)}/holds/${hold}`));

export type BulkAction = "disable" | "enable" | "pause" | "run" | "skip_next";

/** By exactly one of these a verb knows for which schedules it is. */
export type BulkTarget = { group?: string; ids?: readonly string[]; tag?: string };

export const useBulk = () =>
  useChange(async (body: BulkTarget & { action: BulkAction; until?: string }) =>
    post<BulkResults>("schedules/bulk", body),
  );

export const useControl = () =>
  useChange(async ({ dagId, pause, runId }: { dagId: string; pause: boolean; runId: string }) =>
    post<Controlled>(`runs/${encodeURIComponent(dagId)}/${encodeURIComponent(runId)}/${pause ? "pause" : "resume"}`),
  );

/** Lets every backup that runs wait, or every one that waits go on. */
export const useControlAll = () =>
  useChange(async (pause: boolean) => post<BulkResults>(`runs/active/${pause ? "pause" : "resume"}`));

export const useVerifySet = () =>
  useChange(async ({ level, setId }: { level: VerificationLevel; setId: string }) =>
    post<Started>(`sets/${encodeURIComponent(setId)}/verify`, { level }),
  );

export type Restoring = {
  at: string;
  confirm: string;
  paths: readonly string[];
  place?: string;
  setId: string;
  target: string;
};

export const useRestoreSet = () =>
  useChange(async ({ setId, ...body }: Restoring) => post<Started>(`sets/${encodeURIComponent(setId)}/restore`, body));

export type Pinning = { confirm?: string; lock_until?: string; pinned?: boolean };

/** Keep a set whatever the rules say; a lock cannot be taken back. */
export const usePinSet = (id: string) =>
  useChange(async (body: Pinning) => post<Pinned>(`sets/${encodeURIComponent(id)}/pin`, body));
