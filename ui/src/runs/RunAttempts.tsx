import { Box, Button, Skeleton, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useRun } from "../api/queries";
import type { Run, RunDetail } from "../api/types";
import { formatCount, formatDuration, formatMoment, sentence } from "../format";
import { STATUSES } from "../words";
import { Failure } from "../shared/Failure";

const DONE = { cancel: "Cancelled", pause: "Paused", resume: "Resumed" } as const;

type Line = { readonly at: string; readonly key: string; readonly text: string };

/** On which machine, and how Airflow sent it there: " on nas1 (queue nas, CeleryExecutor)". */
export const whereOf = ({ executor, host, queue }: Pick<Run, "executor" | "host" | "queue">): string => {
  const how = [queue === null ? "" : `queue ${queue}`, executor ?? ""].filter(Boolean).join(", ");

  return host === null ? "" : ` on ${host}${how === "" ? "" : ` (${how})`}`;
};

/** Attempts and orders of a run as lines, in the order in which they were. */
export const linesOf = ({ attempts, orders }: RunDetail): Line[] =>
  [
    ...attempts.map(({ error, executor, finished_at: end, host, number, queue, started_at: begin, status }) => {
      const took = end === null ? "" : ` after ${formatDuration((Date.parse(end) - Date.parse(begin)) / 1000)}`;

      const how = `${STATUSES[status].label.toLowerCase()}${took}${error === null ? "" : `: ${error}`}`;

      return {
        at: begin,
        key: `attempt ${number}`,
        text: `Attempt ${number}${whereOf({ executor, host, queue })}: ${how}`,
      };
    }),
    ...orders.map(({ action, at, by, reason }, index) => ({
      at,
      key: `order ${index}`,
      text: `${DONE[action]} by ${by}${reason === null ? "" : `: ${reason}`}`,
    })),
  ].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));

type RunAttemptsProps = { readonly run: Run; readonly timeZone?: string | undefined };

/** Each attempt of a run, and who told it what; read when it is opened. */
export const RunAttempts = ({ run, timeZone }: RunAttemptsProps) => {
  const [isOpen, setIsOpen] = useState(false);

  return (
    <Box mt="1">
      <Button aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)} size="2xs" variant="ghost">
        {isOpen ? "Hide" : "Show"} {run.attempts > 1 ? `its ${formatCount(run.attempts, "attempt")}` : "what happened"}
      </Button>
      {isOpen ? <Lines run={run} timeZone={timeZone} /> : undefined}
    </Box>
  );
};

const Lines = ({ run, timeZone }: RunAttemptsProps) => {
  const { data, error, isPending, refetch } = useRun(run.dag_id, run.run_id);

  if (isPending) {
    return <Skeleton height="8" mt="1" />;
  }
  if (data === undefined) {
    return <Failure error={error} onRetry={() => void refetch()} what="The run" />;
  }

  return (
    <Box as="ol" borderStartWidth="2px" mt="1" ps="3">
      {linesOf(data).map(({ at, key, text }) => (
        <Text as="li" fontSize="xs" key={key} listStyleType="none" overflowWrap="anywhere" py="0.5">
          <Text as="span" color="fg.muted">
            {formatMoment(at, timeZone)}
          </Text>{" "}
          {sentence(text)}
        </Text>
      ))}
    </Box>
  );
};
