import { Button, EmptyState, Flex, Link, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useCallback } from "react";

import { apiUrl } from "../api/client";
import { type RunQuery, useAllRuns } from "../api/queries";
import type { Kind, Run } from "../api/types";
import { serverNow } from "../clock";
import { sentence } from "../format";
import { Choice, named } from "../shared/Choice";
import { Failure } from "../shared/Failure";
import { Download, Search } from "../shared/icons";
import { Panel } from "../shared/Panel";
import { SearchField } from "../shared/SearchField";
import { STATUSES, TRIGGERS } from "../words";
import { pageZone } from "../zone";
import { HistoryItem } from "./HistoryItem";

const HOUR = 3_600_000;

const PERIODS: Record<string, readonly [string, number]> = {
  "24h": ["The last 24 hours", 24],
  "7d": ["The last 7 days", 7 * 24],
  "30d": ["The last 30 days", 30 * 24],
};

const KINDS: Record<Kind, string> = {
  archive_log: "Archive log",
  differential: "Differential",
  full: "Full",
  incremental: "Incremental",
};

export type RunChoice = {
  readonly group: string;
  readonly kind: string;
  readonly period: string;
  readonly q: string;
  readonly source: string;
  readonly status: string;
  readonly trigger: string;
};

type RunsPanelProps = {
  readonly active: readonly Run[];
  readonly choice: RunChoice;
  /** What there is to choose from; null while nobody knows. */
  readonly facets: { readonly engines: readonly string[]; readonly groups: readonly string[] } | null;
  readonly onChange: (change: Partial<RunChoice>) => void;
  readonly onOpen: (id: string) => void;
};

export const EVERY_RUN: RunChoice = {
  group: "",
  kind: "",
  period: "",
  q: "",
  source: "",
  status: "",
  trigger: "",
};

/** What an address says; what nobody knows narrows nothing. */
export const runChoice = (search: URLSearchParams): RunChoice => {
  const known = (key: string, words: object): string => {
    const value = search.get(key) ?? "";

    return Object.hasOwn(words, value) ? value : "";
  };

  return {
    group: search.get("group") ?? "",
    kind: known("kind", KINDS),
    period: known("period", PERIODS),
    q: search.get("q") ?? "",
    source: search.get("source") ?? "",
    status: known("status", STATUSES),
    trigger: known("trigger", TRIGGERS),
  };
};

/**
 * The choice as the server takes it: the period from the full hour on, so that the question stays the same for a
 * while.
 */
export const queryOf = ({ period, ...choice }: RunChoice, now: number): RunQuery => {
  const hours = PERIODS[period]?.[1];
  const after = hours === undefined ? "" : new Date(Math.floor(now / HOUR) * HOUR - hours * HOUR).toISOString();

  return { after, ...choice };
};

/** What became of every run of every schedule, the newest first. */
export const RunsPanel = ({ active, choice, facets, onChange, onOpen }: RunsPanelProps) => {
  const query = queryOf(choice, serverNow());
  const { data, error, fetchNextPage, hasNextPage, isFetchingNextPage, isPending, refetch } = useAllRuns(query);
  const live = new Map(active.map((run) => [`${run.dag_id} ${run.run_id}`, run]));
  const runs = data?.pages.flatMap((page) => page.runs) ?? [];

  return (
    <Panel note={`times in ${pageZone()}`} title="Runs">
      <RunToolbar choice={choice} facets={facets} onChange={onChange} query={query} />
      {data === undefined ? (
        isPending ? (
          <Stack aria-busy="true" gap="3" p="4">
            <Skeleton height="10" />
            <Skeleton height="10" />
            <Skeleton height="10" />
          </Stack>
        ) : (
          <Failure error={error} onRetry={() => void refetch()} what="The runs" />
        )
      ) : runs.length === 0 && !hasNextPage ? (
        <NoRuns choice={choice} onChange={onChange} />
      ) : (
        <Stack aria-label="Runs of all schedules" as="ol" divideY="1px" gap="0">
          {runs.map((run) => (
            <HistoryItem
              expected={null}
              key={`${run.dag_id} ${run.run_id}`}
              run={live.get(`${run.dag_id} ${run.run_id}`) ?? run}
              title={
                <Link as="button" fontSize="sm" fontWeight="medium" onClick={() => onOpen(run.schedule_id)}>
                  {run.schedule_id}
                </Link>
              }
            />
          ))}
        </Stack>
      )}
      {hasNextPage ? (
        <Flex borderTopWidth="1px" justify="center" p="3">
          <Button loading={isFetchingNextPage} onClick={() => void fetchNextPage()} size="xs" variant="outline">
            Show older runs
          </Button>
        </Flex>
      ) : undefined}
    </Panel>
  );
};

type RunToolbarProps = Pick<RunsPanelProps, "choice" | "facets" | "onChange"> & { readonly query: RunQuery };

const RunToolbar = ({ choice, facets, onChange, query }: RunToolbarProps) => {
  const search = useCallback((q: string) => onChange({ q }), [onChange]);

  return (
    <Flex align="center" borderBottomWidth="1px" gap="3" p="3" wrap="wrap">
      <SearchField label="Search runs by their schedule" onSearch={search} q={choice.q} />
      <Choice
        all="All results"
        label="Result"
        onChange={(status) => onChange({ status })}
        value={choice.status}
        words={Object.entries(STATUSES).map(([value, { label }]) => [value, label])}
      />
      <Choice
        all="However started"
        label="Started"
        onChange={(trigger) => onChange({ trigger })}
        value={choice.trigger}
        words={Object.entries(TRIGGERS).map(([value, label]) => [value, sentence(label)])}
      />
      <Choice
        all="All kinds"
        label="Kind"
        onChange={(kind) => onChange({ kind })}
        value={choice.kind}
        words={Object.entries(KINDS)}
      />
      {(facets?.groups.length ?? 0) > 0 || choice.group !== "" ? (
        <Choice
          all="All groups"
          label="Group"
          onChange={(group) => onChange({ group })}
          value={choice.group}
          words={named(facets?.groups ?? [])}
        />
      ) : undefined}
      {(facets?.engines.length ?? 0) > 1 || choice.source !== "" ? (
        <Choice
          all="All engines"
          label="Engine"
          onChange={(source) => onChange({ source })}
          value={choice.source}
          words={named(facets?.engines ?? [])}
        />
      ) : undefined}
      <Choice
        all="Any time"
        label="Period"
        onChange={(period) => onChange({ period })}
        value={choice.period}
        words={Object.entries(PERIODS).map(([value, [label]]) => [value, label])}
      />
      <Button asChild ms="auto" size="sm" variant="outline">
        <a download="runs.csv" href={apiUrl("runs/csv", query)}>
          <Download /> CSV
        </a>
      </Button>
    </Flex>
  );
};

const NoRuns = ({ choice, onChange }: Pick<RunsPanelProps, "choice" | "onChange">) => {
  const isNarrowed = Object.values(choice).some((value) => value !== "");

  return (
    <EmptyState.Root size="sm">
      <EmptyState.Content>
        <EmptyState.Indicator>
          <Search />
        </EmptyState.Indicator>
        <EmptyState.Title>{isNarrowed ? "No run matches" : "Nothing has run yet"}</EmptyState.Title>
        {isNarrowed ? (
          <Link as="button" onClick={() => onChange(EVERY_RUN)}>
            Show all
          </Link>
        ) : (
          <Text color="fg.muted" fontSize="sm">
            The first run shows up here as soon as it is due, or when you run a schedule now.
          </Text>
        )}
      </EmptyState.Content>
    </EmptyState.Root>
  );
};
