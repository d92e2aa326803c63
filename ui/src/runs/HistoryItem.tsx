import { Badge, Box, Button, Code, Flex, Link, Text } from "@chakra-ui/react";
import { type ReactNode, useState } from "react";

import { hostUrl } from "../api/client";
import type { Run } from "../api/types";
import { formatBytes, formatCount, formatDuration, formatExact, formatMoment, sentence } from "../format";
import { External, FileText } from "../shared/icons";
import { Notice } from "../shared/Notice";
import { Message } from "../shared/Problem";
import { StatusBadge } from "../shared/StateBadge";
import { STATUSES, TRIGGERS } from "../words";
import { RunAttempts } from "./RunAttempts";
import { RunLog } from "./RunLog";
import { RunProgress } from "./RunProgress";

type HistoryItemProps = {
  readonly expected: number | null;
  readonly run: Run;
  /** The zone of the times; that of the browser where it is left out. */
  readonly timeZone?: string | undefined;
  /** What ran, where the list does not say it. */
  readonly title?: ReactNode;
};

/** One run: what became of it, when, and why. */
export const HistoryItem = ({ expected, run, timeZone, title }: HistoryItemProps) => {
  const isLive = run.status === "running" || run.status === "pending" || run.status === "paused";
  // What was skipped or passed by never came to a task that says something.
  const hasLog = run.status !== "skipped";
  const [isLogShown, setLogShown] = useState(false);

  return (
    <Box as="li" data-status={run.status} data-testid="run" px="3" py="2.5">
      <Flex align="center" gap="2" wrap="wrap">
        <StatusBadge status={run.status} />
        {title}
        <Text fontSize="sm">{whenOf(run, timeZone)}</Text>
        {run.kind === null ? undefined : (
          <Badge colorPalette="none" size="xs" variant="outline">
            {run.kind.replace("_", " ")}
          </Badge>
        )}
        <Text color="fg.muted" fontSize="xs">
          {byWhom(run)}
        </Text>
        {hasLog ? (
          <Button
            aria-expanded={isLogShown}
            aria-label={`${isLogShown ? "Hide" : "Show"} the log of ${run.run_id}`}
            color="fg.muted"
            ms="auto"
            onClick={() => setLogShown(!isLogShown)}
            size="2xs"
            variant="ghost"
          >
            <FileText /> Log
          </Button>
        ) : undefined}
        <Link
          aria-label={`Open the run in Airflow`}
          color="fg.muted"
          href={hostUrl(`dags/${encodeURIComponent(run.dag_id)}/runs/${encodeURIComponent(run.run_id)}`)}
          ms={hasLog ? "0" : "auto"}
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
        <Figures run={run} />
      )}
      <Why run={run} />
      {run.attempts > 1 || run.status === "cancelled" || run.status === "paused" ? (
        <RunAttempts run={run} timeZone={timeZone} />
      ) : undefined}
      {isLogShown ? <RunLog isLive={isLive} run={run} /> : undefined}
      {run.note === null ? undefined : (
        <Text color="fg.muted" fontSize="xs" fontStyle="italic">
          “{run.note}”
        </Text>
      )}
    </Box>
  );
};

const Figures = ({ run }: { readonly run: Run }) => {
  const ofRead = run.bytes_read === null ? "" : ` of ${formatBytes(run.bytes_read)} read`;
  const figures = [
    run.started_at === null ? "" : formatDuration(run.duration),
    run.bytes_stored === null ? "" : `${formatBytes(run.bytes_stored)} stored${ofRead}`,
    run.files === null ? "" : formatCount(run.files, "file"),
    run.attempts > 1 ? formatCount(run.attempts, "attempt") : "",
    run.host === null ? "" : `on ${run.host}`,
  ].filter(Boolean);

  return (
    <Flex
      align="baseline"
      color="fg.muted"
      columnGap="3"
      fontSize="xs"
      fontVariantNumeric="tabular-nums"
      mt="1"
      wrap="wrap"
    >
      {figures.length === 0 ? undefined : <span>{figures.join(" · ")}</span>}
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

const whenOf = (run: Run, timeZone: string | undefined) => {
  const begin = run.started_at ?? run.queued_at;

  if (begin === null) {
    return "–";
  }
  const end = run.started_at === null ? null : run.finished_at;

  return (
    <time
      dateTime={begin}
      title={`${formatExact(begin, timeZone)}${end === null ? "" : ` → ${formatExact(end, timeZone)}`}`}
    >
      {formatMoment(begin, timeZone)}
      {end === null ? "" : ` → ${formatMoment(end, timeZone).replace(/^.*, /u, "")}`}
    </time>
  );
};

const byWhom = ({ trigger, user }: Run): string => {
  const how = TRIGGERS[trigger] ?? trigger;

  return user === null || trigger !== "manual" ? how : `by ${user}`;
};
