import { Button, EmptyState, Flex, Link, Skeleton, Stack, Text } from "@chakra-ui/react";
import type { UseQueryResult } from "@tanstack/react-query";
import { useState } from "react";

import { useStale } from "../api/live";
import { useAllIds } from "../api/queries";
import type { Run, ScheduleList } from "../api/types";
import { Failure } from "../shared/Failure";
import { Search } from "../shared/icons";
import { Panel } from "../shared/Panel";
import { tellError, toaster } from "../shared/toaster";
import { whyReadOnly } from "../words";
import { BulkBar } from "./BulkBar";
import { EVERY, type ListChoice } from "./choice";
import { mayChoose, ScheduleTable } from "./ScheduleTable";
import { allThatMatch, type Target, ticked, wholeGroup, wholeTag } from "./target";
import { Toolbar } from "./Toolbar";

/** How many schedules a page has. */
export const PAGE = 50;

export type ListChange = Partial<ListChoice> & { by?: string; offset?: number; sort?: string };

type SchedulesPanelProps = {
  readonly activeRuns: ReadonlyMap<string, Run>;
  readonly byGroup: boolean;
  readonly choice: ListChoice;
  readonly list: UseQueryResult<ScheduleList>;
  readonly offset: number;
  readonly onChange: (change: ListChange) => void;
  readonly onEdit: (id: string) => void;
  readonly onImport: (() => void) | null;
  readonly onMaintain: (() => void) | null;
  readonly onNew: (() => void) | null;
  readonly onOpen: (id: string) => void;
  readonly sort: string;
};

/** All schedules: found, narrowed, chosen and acted on. */
export const SchedulesPanel = (props: SchedulesPanelProps) => {
  const { activeRuns, byGroup, choice, list, offset, onChange, onEdit, onOpen, sort } = props;
  const { data } = list;
  const selection = useSelection(data, choice);

  return (
    <Panel stale={useStale(list)} title="Schedules">
      <Toolbar
        byGroup={byGroup}
        choice={choice}
        facets={data ?? NOTHING}
        onChange={onChange}
        onImport={props.onImport}
        onMaintain={props.onMaintain}
        onNew={props.onNew}
        readOnly={whyReadOnly(data?.schedules ?? [])}
        total={data?.total}
      />
      {data === undefined ? (
        list.isPending ? (
          <Stack aria-busy="true" gap="3" p="4">
            <Skeleton height="10" />
            <Skeleton height="10" />
            <Skeleton height="10" />
          </Stack>
        ) : (
          <Failure error={list.error} onRetry={() => void list.refetch()} what="The schedules" />
        )
      ) : data.schedules.length === 0 ? (
        <NothingFound onClear={() => onChange(EVERY)} />
      ) : (
        <>
          <ScheduleTable
            activeRuns={activeRuns}
            chosen={selection.chosen}
            groupSizes={byGroup ? data.group_sizes : null}
            onChoose={selection.choose}
            onEdit={onEdit}
            onGroup={(group) => onChange({ group })}
            onOpen={onOpen}
            onSort={(next) => onChange({ sort: next })}
            schedules={data.schedules}
            sort={sort}
          />
          <Pages offset={offset} onChange={(next) => onChange({ offset: next })} total={data.total} />
        </>
      )}
      <BulkBar more={selection.more} onClear={selection.clear} target={selection.target} />
    </Panel>
  );
};

const NOTHING = { engines: [], groups: [], tags: [] };

/** What narrows the list to exactly one group, or to one tag; the server knows those by their names. */
const soleNarrowing = ({ group, q, source, state, tag }: ListChoice): "group" | "tag" | null => {
  if (q !== "" || source !== "" || state !== "" || (group === "") === (tag === "")) {
    return null;
  }

  return group === "" ? "tag" : "group";
};

const useSelection = (data: ScheduleList | undefined, choice: ListChoice) => {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [all, setAll] = useState<Target | null>(null);
  const { isPending, mutate } = useAllIds();
  // Only what is in sight is acted on: a filter or a page further on takes the rest out of the choice.
  const inSight = (data?.schedules ?? []).filter(mayChoose).map(({ id }) => id);
  const inSightChosen = inSight.filter((id) => chosen.has(id));
  const isWhole = inSight.length > 0 && inSightChosen.length === inSight.length;
  const total = data?.total ?? 0;

  const choose = (ids: readonly string[], isChosen: boolean): void => {
    setAll(null);
    setChosen((old) => new Set(isChosen ? [...old, ...ids] : [...old].filter((id) => !ids.includes(id))));
  };
  const chooseAll = (): void =>
    mutate(choice, {
      onError: (error) => tellError("Not all were chosen", error),
      onSuccess: ({ ids, total: count }) => {
        const sole = soleNarrowing(choice);

        if (ids.length === count) {
          setAll(allThatMatch(ids));
        } else if (sole === null) {
          toaster.create({
            description: `${ids.length.toLocaleString("en-US")} at once; narrow the list to one group or one tag.`,
            duration: 9000,
            title: "These are too many",
            type: "warning",
          });
        } else {
          setAll(sole === "group" ? wholeGroup(choice.group, count) : wholeTag(choice.tag, count));
        }
      },
    });

  const isMore = isWhole && all === null && total > (data?.schedules.length ?? 0);

  return {
    choose,
    chosen,
    clear: () => {
      setAll(null);
      setChosen(new Set());
    },
    more: isMore ? { count: total, isPending, onChoose: chooseAll } : null,
    target: isWhole && all !== null ? all : ticked(inSightChosen),
  };
};

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
