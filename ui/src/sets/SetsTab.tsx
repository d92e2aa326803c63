import { Button, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useMemo, useState } from "react";

import { useRetention, useSets } from "../api/sets";
import type { RetentionView, ScheduleSummary, SetList } from "../api/types";
import { formatBytes, formatCount } from "../format";
import { Command } from "../shared/CopyButton";
import { Failure } from "../shared/Failure";
import { ChainItem } from "./ChainItem";
import { chainsOf } from "./chains";
import { RestoreGuide } from "./RestoreGuide";
import { RetentionTry } from "./RetentionTry";

/** Chains that are drawn at first, and with each press of the button. */
const PAGE = 20;

type SetsTabProps = { readonly schedule: ScheduleSummary };

/** What is stored, what is proven of it, what keeps it; and a way back to any moment. */
export const SetsTab = ({ schedule }: SetsTabProps) => {
  const { data, error, isPending, refetch } = useSets(schedule.id);

  if (isPending) {
    return (
      <Stack aria-busy="true" gap="2">
        <Skeleton height="12" />
        <Skeleton height="12" />
      </Stack>
    );
  }
  if (data === undefined) {
    return <Failure error={error} onRetry={() => void refetch()} what="The list of sets" />;
  }
  if (data.sets.length === 0) {
    return (
      <Text color="fg.muted" fontSize="sm">
        Nothing is stored yet. The first completed run makes the first set.
      </Text>
    );
  }

  return (
    <Stack gap="5">
      <RestoreGuide list={data} schedule={schedule} />
      <Stored list={data} schedule={schedule} />
    </Stack>
  );
};

type StoredProps = { readonly list: SetList; readonly schedule: ScheduleSummary };

const Stored = ({ list, schedule }: StoredProps) => {
  const retention = useRetention(schedule.id).data;
  const chains = useMemo(() => chainsOf(list.sets), [list.sets]);
  const reasons = useMemo(() => reasonsOf(retention), [retention]);
  const [shown, setShown] = useState(PAGE);

  return (
    <Stack gap="2">
      <Text color="fg.muted" fontSize="sm">
        {formatCount(list.total, "set")}, {formatBytes(list.bytes_stored)} stored. {afterwards(retention)}
      </Text>
      <Stack
        aria-label={`Sets of ${schedule.id}`}
        as="ol"
        borderWidth="1px"
        divideY="1px"
        gap="0"
        listStyleType="none"
        overflow="hidden"
        rounded="lg"
      >
        {chains.slice(0, shown).map((chain, index) => (
          <ChainItem
            chain={chain}
            isOpenAtFirst={index === 0}
            key={chain.id}
            permissions={list.permissions}
            reasons={reasons}
            schedule={schedule}
          />
        ))}
      </Stack>
      {chains.length > shown ? (
        <Button alignSelf="center" onClick={() => setShown(shown + PAGE)} size="xs" variant="ghost">
          Show older sets
        </Button>
      ) : list.total > list.sets.length ? (
        <Stack gap="1">
          <Text color="fg.muted" fontSize="xs">
            These are the newest {list.sets.length}. All of them, on a shell:
          </Text>
          <Command text={`airflow-backup list ${schedule.id}`} />
        </Stack>
      ) : undefined}
      {retention === undefined ? undefined : <RetentionTry own={retention} schedule={schedule} />}
    </Stack>
  );
};

const afterwards = (retention: RetentionView | undefined): string => {
  if (retention === undefined || retention.policy === null) {
    return "No rule removes any of them.";
  }
  if (retention.refused !== null) {
    return `Nothing is removed now: ${retention.refused}.`;
  }

  return retention.removed === 0
    ? "The rules keep all of them."
    : `The next prune removes ${formatCount(retention.removed, "set")}, ${formatBytes(retention.bytes_removed)}.`;
};

const reasonsOf = (retention: RetentionView | undefined): ReadonlyMap<string, string> =>
  new Map(
    retention?.sets.map(({ kept, reasons, set_id: id }) => [
      id,
      `${kept ? "Kept" : "Goes with the next prune"}: ${reasons.join(", ")}`,
    ]),
  );
