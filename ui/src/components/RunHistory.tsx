import { Badge, Box, Button, Code, Flex, Link, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { hostUrl } from "../api/client";
import { useRuns } from "../api/queries";
import type { Run, ScheduleSummary } from "../api/types";
import { formatBytes, formatCount, formatDuration, formatExact, formatMoment, sentence } from "../format";
import { STATUSES, TRIGGERS } from "../words";
import { Failure } from "./Failure";
import { External } from "./icons";
import { Notice } from "./Notice";
import { Message } from "./Problem";
import { RunAttempts } from "./RunAttempts";
import { RunProgress } from "./RunProgress";
import { StatusBadge } from "./StateBadge";

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
        {state === "rejected" ? "" : "The first one shows up here as soon as it is due, or when you run the schedule now."}
      </Text>
    );
  }

  return (
    <Stack gap="3">
      <Stack aria-label={`History of ${id}`} as="ol" borderWidth="1px" divideY="1px" gap="0" overflow="hidden" rounded="lg">
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

type HistoryItemProps = { readonly expected: number | null; readonly run: Run; readonly timeZone: string };

const HistoryItem = ({ expected, run, timeZone }: HistoryItemProps) => {
  const isLive = run.status === "running" || run.status === "pending" || run.status === "paused";

  return (
    <Box as="li" data-status={run.status} data-testid="run" px="3" py="2.5">
      <Flex align="center" gap="2" wrap="wrap">
        <StatusBadge status={run.status} />
        <Text fontSize="sm">{whenOf(run, timeZone)}</Text>
        {run.kind === null ? undefined : (
          <Badge colorPalette="none" size="xs" variant="outline">
            {run.kind.replace("_", " ")}
          </Badge>
        )}
        <Text color="fg.muted" fontSize="xs">
          {byWhom(run)}
        </Text>
        <Link
          aria-label={`Open the run in Airflow`}
          color="fg.muted"
          href={hostUrl(`dags/${encodeURIComponent(run.dag_id)}/runs/${encodeURIComponent(run.run_id)}`)}
          ms="auto"
          title="Open in Airflow: tasks and logs"
        >
          <External />
        </Link>
      </Flex>
      {isLive ? (
        <Box mt="2">
          <RunProgress expected={expected} run={run} />
        </Box>
      ) : (
        <Facts run={run} />
      )}
      <Why run={run} />
      {run.attempts > 1 || run.status === "cancelled" || run.status === "paused" ? (
        <RunAttempts run={run} timeZone={timeZone} />
      ) : undefined}
      {run.note === null ? undefined : (
        <Text color="fg.muted" fontSize="xs" fontStyle="italic">
          “{run.note}”
        </Text>
      )}
    </Box>
  );
};

const Facts = ({ run }: { readonly run: Run }) => {
  const facts = [
    run.started_at === null ? "" : formatDuration(run.duration),
    run.bytes_stored === null
      ? ""
      : `${formatBytes(run.bytes_stored)} stored${run.bytes_read === null ? "" : ` of ${formatBytes(run.bytes_read)} read`}`,
    run.files === null ? "" : formatCount(run.files, "file"),
    run.attempts > 1 ? formatCount(run.attempts, "attempt") : "",
    run.host === null ? "" : `on ${run.host}`,
  ].filter(Boolean);

  return (
    <Flex align="baseline" color="fg.muted" columnGap="3" fontSize="xs" fontVariantNumeric="tabular-nums" mt="1" wrap="wrap">
      {facts.length === 0 ? undefined : <span>{facts.join(" · ")}</span>}
      {run.set_id === null ? undefined : (
        <Code bg="transparent" color="fg.muted" fontSize="xs" px="0" title="The set it stored">
          {run.set_id}
        </Code>
      )}
    </Flex>
  );
};

const Why = ({ run }: { readonly run: Run }) => {
  const isLive = run.progress !== null || run.status === "pending";

  if (run.error !== null) {
    return (
      <Box mt="2">
        <Notice palette={STATUSES[run.status].palette}>
          <Message hint={run.hint} text={run.error} />
        </Notice>
      </Box>
    );
  }

  return run.reason === null || isLive ? undefined : (
    <Text color="fg.muted" fontSize="sm" mt="1">
      {sentence(run.reason)}
    </Text>
  );
};

const whenOf = (run: Run, timeZone: string) => {
  const begin = run.started_at ?? run.queued_at;

  if (begin === null) {
    return "–";
  }
  const end = run.started_at === null ? null : run.finished_at;

  return (
    <time dateTime={begin} title={`${formatExact(begin, timeZone)}${end === null ? "" : ` → ${formatExact(end, timeZone)}`}`}>
      {formatMoment(begin, timeZone)}
      {end === null ? "" : ` → ${formatMoment(end, timeZone).replace(/^.*, /u, "")}`}
    </time>
  );
};

const byWhom = ({ trigger, user }: Run): string => {
  const how = TRIGGERS[trigger] ?? trigger;

  return user === null || trigger !== "manual" ? how : `by ${user}`;
};
