import { Button, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useRuns } from "../api/queries";
import type { Run, ScheduleSummary } from "../api/types";
import { Failure } from "../shared/Failure";
import { HistoryItem } from "./HistoryItem";
import { RunCharts } from "./RunCharts";

const PAGE = 15;
const MOST = 200;

type RunHistoryProps = { readonly activeRun: Run | null; readonly schedule: ScheduleSummary };

/** What became of every run, the newest first, and why. */
export const RunHistory = ({ activeRun, schedule }: RunHistoryProps) => {
  const { id, last_good: lastGood, state, timezone } = schedule;
  const [limit, setLimit] = useState(PAGE);
  const { data, error, isPending, refetch } = useRuns(id, limit);

  if (isPending) {
    return (
      <Stack aria-busy="true" gap="2">
        <Skeleton height="12" />
        <Skeleton height="12" />
        <Skeleton height="12" />
      </Stack>
    );
  }
  if (data === undefined) {
    return <Failure error={error} onRetry={() => void refetch()} what="The history" />;
  }
  if (data.runs.length === 0) {
    return (
      <Text color="fg.muted" fontSize="sm">
        No run yet.{" "}
        {state === "rejected"
          ? ""
          : "The first one shows up here as soon as it is due, or when you run the schedule now."}
      </Text>
    );
  }

  return (
    <Stack gap="3">
      <RunCharts id={id} />
      <Stack
        aria-label={`History of ${id}`}
        as="ol"
        borderWidth="1px"
        divideY="1px"
        gap="0"
        overflow="hidden"
        rounded="lg"
      >
        {data.runs.map((run) => (
          <HistoryItem
            expected={lastGood?.bytes_read ?? null}
            key={run.run_id}
            run={activeRun?.run_id === run.run_id ? activeRun : run}
            timeZone={timezone}
          />
        ))}
      </Stack>
      {data.next_before === null || limit >= MOST ? undefined : (
        <Button alignSelf="center" onClick={() => setLimit(Math.min(MOST, limit * 3))} size="xs" variant="ghost">
          Show older runs
        </Button>
      )}
    </Stack>
  );
};
