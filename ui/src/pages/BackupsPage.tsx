import { Button, EmptyState, Flex, Link, Skeleton, Stack, Tabs, Text } from "@chakra-ui/react";
import { useMemo, useState } from "react";

import { useLiveRefresh, useStale } from "../api/live";
import { type ListQuery, useActiveRuns, useSchedules, useStatus } from "../api/queries";
import type { Run } from "../api/types";
import { ActiveRuns } from "../runs/ActiveRuns";
import { Attention } from "../overview/Attention";
import { BulkBar } from "../schedules/BulkBar";
import { CopyButton } from "../shared/CopyButton";
import { Failure } from "../shared/Failure";
import { Hero, HeroSkeleton } from "../overview/Hero";
import { useKeptFocus } from "../shared/focus";
import { FileText, Search } from "../shared/icons";
import { MaintenanceBanner, MaintenanceDialog } from "../overview/Maintenance";
import { CLEAR, SCHEDULES_ID, SkipLink } from "../shared/manners";
import { Panel } from "../shared/Panel";
import { ScheduleDrawer } from "../schedules/ScheduleDrawer";
import { ScheduleTable } from "../schedules/ScheduleTable";
import { TimelinePanel } from "../overview/TimelinePanel";
import { News } from "../overview/News";
import { Receivers } from "../overview/Receivers";
import { Unprotected } from "../overview/Unprotected";
import { Toasts } from "../shared/toaster";
import { Toolbar } from "../schedules/Toolbar";
import { RunsPanel } from "../runs/RunsPanel";
import { EditorDrawer, NEW } from "../editor/EditorDrawer";
import { ImportDialog } from "../exchange/ImportDialog";
import { startFor } from "../editor/form";
import { needsAttention, whyReadOnly } from "../words";
import { RUNS, useAddress } from "./address";

const PAGE = 50;

/** What needs attention is asked for apart from the table, so that no filter can hide it. */
const TROUBLED: ListQuery = { limit: 50, offset: 0, q: "", sort: "protection", state: "attention" };

/** The page "Backups": one sentence, what needs attention, what runs, all schedules. */
export const BackupsPage = () => {
  const focus = useKeptFocus();
  const status = useStatus();
  const stale = useStale(status);
  const { choice, drawer, offset, q, set, sort, state, view } = useAddress();
  const list = useSchedules({ limit: PAGE, offset, q, sort, state });
  const troubled = useSchedules(TROUBLED);
  const active = useActiveRuns();
  const staleRuns = useStale(active);
  const staleList = useStale(list);
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
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const choose = (ids: readonly string[], isChosen: boolean): void =>
    setChosen((old) => new Set(isChosen ? [...old, ...ids] : [...old].filter((id) => !ids.includes(id))));
  // Only what is in sight is acted on: a filter or a page further on takes the rest out of the choice.
  const inSight = (list.data?.schedules ?? []).map(({ id }) => id).filter((id) => chosen.has(id));
  const [maintaining, setMaintaining] = useState(false);
  const [importing, setImporting] = useState(false);
  const mayMaintain = status.data?.may_maintain === true && status.data.maintenance === null;
  const mayCreate = list.data?.may_create === true;
  const filtered = q !== "" || state !== "";

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
        <Hero stale={stale} status={status.data} />
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
          {status.data?.total === 0 && !filtered ? (
            <NoSchedules
              onImport={mayCreate ? () => setImporting(true) : null}
              onNew={mayCreate ? () => setEditing(NEW) : null}
            />
          ) : (
            <Panel stale={staleList} title="Schedules">
              <Toolbar
                onChange={set}
                onImport={mayCreate ? () => setImporting(true) : null}
                onMaintain={mayMaintain ? () => setMaintaining(true) : null}
                onNew={mayCreate ? () => setEditing(NEW) : null}
                q={q}
                readOnly={whyReadOnly(list.data?.schedules ?? [])}
                state={state}
                total={list.data?.total}
              />
              {list.data === undefined ? (
                list.isPending ? (
                  <Stack aria-busy="true" gap="3" p="4">
                    <Skeleton height="10" />
                    <Skeleton height="10" />
                    <Skeleton height="10" />
                  </Stack>
                ) : (
                  <Failure error={list.error} onRetry={() => void list.refetch()} what="The schedules" />
                )
              ) : list.data.schedules.length === 0 ? (
                <NothingFound onClear={() => set({ q: "", state: "" })} />
              ) : (
                <>
                  <ScheduleTable
                    activeRuns={bySchedule}
                    chosen={chosen}
                    onChoose={choose}
                    onEdit={setEditing}
                    onOpen={drawer.open}
                    onSort={(next) => set({ sort: next })}
                    schedules={list.data.schedules}
                    sort={sort}
                  />
                  <Pages offset={offset} onChange={(next) => set({ offset: next })} total={list.data.total} />
                </>
              )}
            </Panel>
          )}
        </Tabs.Content>
        <Tabs.Content value={RUNS}>
          <RunsPanel active={runs} choice={choice} onChange={set} onOpen={drawer.open} />
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
      <BulkBar ids={inSight} onClear={() => setChosen(new Set())} />
      <News />
      <Toasts />
    </Stack>
  );
};

type NoSchedulesProps = { readonly onImport: (() => void) | null; readonly onNew: (() => void) | null };

const NoSchedules = ({ onImport, onNew }: NoSchedulesProps) => (
  <EmptyState.Root borderWidth="1px" rounded="lg">
    <EmptyState.Content>
      <EmptyState.Indicator>
        <FileText />
      </EmptyState.Indicator>
      <EmptyState.Title asChild>
        <h2>Write your first schedule</h2>
      </EmptyState.Title>
      <EmptyState.Description maxW="lg" textAlign="center">
        Put a file schedules.yaml beside the DAG file backup_dags.py. Every schedule in it becomes a DAG and shows up
        here within a minute; check it first with{" "}
        <Text as="span" fontFamily="mono" fontSize="sm">
          airflow-backup validate
        </Text>
        <CopyButton label="the command" text="airflow-backup validate" />.
      </EmptyState.Description>
      {onNew === null ? undefined : (
        <Button colorPalette="brand" onClick={onNew} size="sm">
          Or make one here
        </Button>
      )}
      {onImport === null ? undefined : (
        <Button onClick={onImport} size="sm" variant="outline">
          Or import a file
        </Button>
      )}
    </EmptyState.Content>
  </EmptyState.Root>
);

const NothingFound = ({ onClear }: { readonly onClear: () => void }) => (
  <EmptyState.Root size="sm">
    <EmptyState.Content>
      <EmptyState.Indicator>
        <Search />
      </EmptyState.Indicator>
      <EmptyState.Title>No schedule matches</EmptyState.Title>
      <Link as="button" onClick={onClear}>
        Show all
      </Link>
    </EmptyState.Content>
  </EmptyState.Root>
);

type PagesProps = { readonly offset: number; readonly onChange: (offset: number) => void; readonly total: number };

const Pages = ({ offset, onChange, total }: PagesProps) =>
  total <= PAGE ? undefined : (
    <Flex align="center" borderTopWidth="1px" gap="3" justify="flex-end" p="3">
      <Text color="fg.muted" fontSize="xs">
        {offset + 1}–{Math.min(total, offset + PAGE)} of {total}
      </Text>
      <Button disabled={offset === 0} onClick={() => onChange(Math.max(0, offset - PAGE))} size="xs" variant="outline">
        Previous
      </Button>
      <Button disabled={offset + PAGE >= total} onClick={() => onChange(offset + PAGE)} size="xs" variant="outline">
        Next
      </Button>
    </Flex>
  );
