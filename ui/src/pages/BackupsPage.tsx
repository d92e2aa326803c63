import { Stack, Tabs } from "@chakra-ui/react";
import { useMemo, useState } from "react";

import { useLiveRefresh, useStale } from "../api/live";
import { type ListQuery, useActiveRuns, useSchedules, useStatus } from "../api/queries";
import type { Run } from "../api/types";
import { ActiveRuns } from "../runs/ActiveRuns";
import { Attention } from "../overview/Attention";
import { EVERY, isNarrowed } from "../schedules/choice";
import { NoSchedules } from "../schedules/NoSchedules";
import { PAGE, SchedulesPanel } from "../schedules/SchedulesPanel";
import { Failure } from "../shared/Failure";
import { Hero, HeroSkeleton } from "../overview/Hero";
import { useKeptFocus } from "../shared/focus";
import { MaintenanceBanner, MaintenanceDialog } from "../overview/Maintenance";
import { CLEAR, SCHEDULES_ID, SkipLink } from "../shared/manners";
import { ScheduleDrawer } from "../schedules/ScheduleDrawer";
import { TimelinePanel } from "../overview/TimelinePanel";
import { News } from "../overview/News";
import { Receivers } from "../overview/Receivers";
import { Unprotected } from "../overview/Unprotected";
import { Toasts } from "../shared/toaster";
import { RunsPanel } from "../runs/RunsPanel";
import { EditorDrawer, NEW } from "../editor/EditorDrawer";
import { ImportDialog } from "../exchange/ImportDialog";
import { startFor } from "../editor/form";
import { needsAttention } from "../words";
import { RUNS, useAddress } from "./address";

/** What needs attention is asked for apart from the table, so that no filter can hide it. */
const TROUBLED: ListQuery = {
  ...EVERY,
  by_group: false,
  limit: 50,
  offset: 0,
  sort: "protection",
  state: "attention",
};

/** The page "Backups": one sentence, what needs attention, what runs, all schedules. */
export const BackupsPage = () => {
  const focus = useKeptFocus();
  const status = useStatus();
  const stale = useStale(status);
  const { byGroup, choice, drawer, narrowed, offset, set, sort, view } = useAddress();
  const list = useSchedules({ ...narrowed, by_group: byGroup, limit: PAGE, offset, sort });
  const troubled = useSchedules(TROUBLED);
  const active = useActiveRuns();
  const staleRuns = useStale(active);
  const staleTroubles = useStale(troubled);
  const runs = useMemo(() => active.data?.runs ?? [], [active.data]);
  const bySchedule = useMemo(() => new Map<string, Run>(runs.map((run) => [run.schedule_id, run])), [runs]);
  const known = useMemo(
    () => new Map([...(troubled.data?.schedules ?? []), ...(list.data?.schedules ?? [])].map((one) => [one.id, one])),
    [list.data, troubled.data],
  );

  useLiveRefresh(status.data?.next_runs[0]?.at ?? null);
  const [editing, setEditing] = useState<string | null>(null);
  const [start, setStart] = useState<Record<string, unknown> | null>(null);
  const [maintaining, setMaintaining] = useState(false);
  const [importing, setImporting] = useState(false);
  const mayMaintain = status.data?.may_maintain === true && status.data.maintenance === null;
  const mayCreate = list.data?.may_create === true;

  return (
    <Stack
      {...CLEAR}
      data-backup="page"
      gap="6"
      position="relative"
      ref={focus}
      maxW="8xl"
      mx="auto"
      p={{ base: "4", md: "6" }}
      width="full"
    >
      <SkipLink />
      {status.data === undefined ? (
        status.isPending ? (
          <HeroSkeleton />
        ) : (
          <Failure error={status.error} onRetry={() => void status.refetch()} what="The state of your backups" />
        )
      ) : (
        <Hero onOpen={drawer.open} stale={stale} status={status.data} />
      )}
      {status.data?.maintenance ? (
        <MaintenanceBanner maintenance={status.data.maintenance} mayEnd={status.data.may_maintain} />
      ) : undefined}
      <ActiveRuns onOpen={drawer.open} runs={runs} schedules={known} stale={staleRuns} />
      {status.data === undefined ? undefined : (
        <Attention
          onOpen={drawer.open}
          schedules={(troubled.data?.schedules ?? []).filter(needsAttention)}
          stale={stale ?? staleTroubles}
          status={status.data}
        />
      )}
      {status.data === undefined ? undefined : (
        <Unprotected
          onNew={
            mayCreate
              ? ({ connection_id: name, source }) => {
                  setStart(startFor(name, source));
                  setEditing(NEW);
                }
              : null
          }
          status={status.data}
        />
      )}
      <TimelinePanel onOpen={drawer.open} stale={stale} />
      <Tabs.Root
        lazyMount
        onValueChange={({ value }) => set({ view: value === RUNS ? RUNS : "" })}
        size="sm"
        unmountOnExit
        value={view}
        variant="line"
      >
        <Tabs.List id={SCHEDULES_ID} tabIndex={-1}>
          <Tabs.Trigger value="schedules">Schedules</Tabs.Trigger>
          <Tabs.Trigger value={RUNS}>Runs</Tabs.Trigger>
        </Tabs.List>
        <Tabs.Content value="schedules">
          {status.data?.total === 0 && !isNarrowed(narrowed) ? (
            <NoSchedules
              onImport={mayCreate ? () => setImporting(true) : null}
              onNew={mayCreate ? () => setEditing(NEW) : null}
            />
          ) : (
            <SchedulesPanel
              activeRuns={bySchedule}
              byGroup={byGroup}
              choice={narrowed}
              list={list}
              offset={offset}
              onChange={set}
              onEdit={setEditing}
              onImport={mayCreate ? () => setImporting(true) : null}
              onMaintain={mayMaintain ? () => setMaintaining(true) : null}
              onNew={mayCreate ? () => setEditing(NEW) : null}
              onOpen={drawer.open}
              sort={sort}
            />
          )}
        </Tabs.Content>
        <Tabs.Content value={RUNS}>
          <RunsPanel
            active={runs}
            choice={choice}
            facets={list.data ?? null}
            onChange={set}
            onOpen={drawer.open}
          />
        </Tabs.Content>
      </Tabs.Root>
      <Receivers />
      <ScheduleDrawer
        id={drawer.id}
        onClose={drawer.close}
        onEdit={(id) => {
          drawer.close();
          setEditing(id);
        }}
      />
      {maintaining ? <MaintenanceDialog onClose={() => setMaintaining(false)} /> : undefined}
      {importing ? <ImportDialog onClose={() => setImporting(false)} /> : undefined}
      <EditorDrawer
        id={editing}
        onClose={() => {
          setEditing(null);
          setStart(null);
        }}
        start={start}
      />
      <News />
      <Toasts />
    </Stack>
  );
};
