import { Box, Flex, Progress, Stack, Text } from "@chakra-ui/react";
import { useEffect, useRef } from "react";

import { useRequests } from "../api/sets";
import type { RequestedRun, RestoreOutcome, ScheduleSummary } from "../api/types";
import { serverNow } from "../clock";
import { formatBytes, formatCount, formatDuration, formatExact } from "../format";
import { ExternalLink } from "../shared/ExternalLink";
import { Few } from "../shared/Few";
import { CALM } from "../shared/manners";
import { Ago } from "../shared/moments";
import { Message } from "../shared/Problem";
import { StatusBadge } from "../shared/StateBadge";
import { isOver } from "../words";
import { runUrl, stageOf } from "./RequestLine";

const DAY = 86_400_000;

type RestoreRunsProps = {
  readonly schedule: ScheduleSummary;
  /** The run that was started here, which the keyboard goes to. */
  readonly started: string | null;
};

/** The restores of the last day, and that which was just started: how far each is, and what came of it. */
export const RestoreRuns = ({ schedule, started }: RestoreRunsProps) => {
  const { data } = useRequests(schedule.id);
  const isShown = ({ asked_at: at, run_id: id, verb }: RequestedRun): boolean =>
    verb === "restore" && (id === started || serverNow() - Date.parse(at) < DAY);
  const runs = data?.runs.filter(isShown) ?? [];

  return runs.length === 0 ? undefined : (
    <Box aria-label="Restores" as="section" borderTopWidth="1px" pt="3">
      <Text fontSize="sm" fontWeight="semibold" mb="2">
        Restores
      </Text>
      <Few few={2} label="Restores of the last day">
        {runs.map((run) => (
          <RestoreRun isNew={run.run_id === started} key={run.run_id} own={schedule.timezone} run={run} />
        ))}
      </Few>
    </Box>
  );
};

const FEW = 3;

const namesOf = (paths: readonly string[]): string =>
  paths.length <= FEW ? paths.join(", ") : `${paths.slice(0, FEW).join(", ")} and ${paths.length - FEW} more`;

type RestoreRunProps = { readonly isNew: boolean; readonly own: string; readonly run: RequestedRun };

const RestoreRun = ({ isNew, own, run }: RestoreRunProps) => {
  const ref = useRef<HTMLLIElement>(null);
  const moment = run.result?.consistent_at ?? run.at;

  useEffect(() => {
    if (isNew) {
      ref.current?.focus();
    }
  }, [isNew]);

  return (
    <Box asChild>
      <li aria-live="polite" data-status={run.status} data-testid="restore" ref={ref} tabIndex={isNew ? -1 : undefined}>
        <Stack gap="1" pb="2">
          <Flex align="center" columnGap="2" fontSize="xs" wrap="wrap">
            <StatusBadge status={run.status} />
            {run.target === null ? undefined : (
              <Text fontFamily="mono" overflowWrap="anywhere">
                {run.target}
              </Text>
            )}
            <Text color="fg.muted">
              asked for by {run.person}, <Ago at={run.asked_at} />
            </Text>
            <Box ms="auto">
              <ExternalLink href={runUrl(run)}>Log in Airflow</ExternalLink>
            </Box>
          </Flex>
          {moment === null ? undefined : (
            <Text color="fg.muted" fontSize="xs" overflowWrap="anywhere">
              As of {formatExact(moment, own)}
              {run.paths.length === 0 ? "" : `; only ${namesOf(run.paths)}`}.
            </Text>
          )}
          {isOver(run) ? undefined : <Going run={run} />}
          {run.result === null ? undefined : <Outcome result={run.result} />}
          {run.error === null ? undefined : (
            <Box color="fg.error">
              <Message hint={run.hint} text={run.error} />
            </Box>
          )}
        </Stack>
      </li>
    </Box>
  );
};

const Going = ({ run }: { readonly run: RequestedRun }) => (
  <Box>
    <Progress.Root
      animated
      aria-label="Progress of the restore"
      colorPalette={run.status === "running" ? "running" : "queued"}
      shape="full"
      size="xs"
      striped={run.status === "running"}
      value={run.progress?.percent ?? (run.status === "running" ? null : 0)}
    >
      <Progress.Track>
        <Progress.Range {...CALM} />
      </Progress.Track>
    </Progress.Root>
    <Text color="fg.muted" fontSize="xs" fontVariantNumeric="tabular-nums" mt="1">
      {stageOf(run)}
    </Text>
  </Box>
);

const Outcome = ({ result }: { readonly result: RestoreOutcome }) => (
  <Box fontSize="xs">
    <Text overflowWrap="anywhere">
      Brought back {formatCount(result.files, "file")}, {formatBytes(result.bytes_written)} in{" "}
      {formatDuration(result.seconds)}
      {result.target === null ? undefined : (
        <>
          , into <b>{result.target}</b>
        </>
      )}
      {result.host === null ? "" : ` on ${result.host}`}.
      {result.kept === null ? "" : ` What was there before is in ${result.kept}.`}
    </Text>
    {[...result.passed_over, ...result.warnings].length === 0 ? undefined : (
      <Box color="fg.warning">
        <Few label="What to look at">
          {[...result.passed_over, ...result.warnings].map((words, index) => (
            <Text as="li" key={`${index}-${words}`} overflowWrap="anywhere">
              {words}
            </Text>
          ))}
        </Few>
      </Box>
    )}
  </Box>
);
