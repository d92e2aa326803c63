import { Box, Progress, Text } from "@chakra-ui/react";

import type { Run } from "../api/types";
import { formatBytes, formatDuration, sentence } from "../format";
import { CALM } from "../shared/manners";

/** How far a run is: as it says itself, else by what the last good one read; never done before it is. */
export const share = ({ progress }: Run, expected: number | null): number | null => {
  if (progress === null) {
    return null;
  }
  const { bytes_done: done, percent } = progress;

  if (percent !== null || done === null || done === 0 || expected === null || expected === 0) {
    return percent;
  }

  return Math.min(99, (100 * done) / expected);
};

/** What a run is at, as far as it is known. */
export const progressText = (run: Run, expected: number | null): string => {
  const { progress, reason, status } = run;

  if (progress === null) {
    return sentence(reason ?? (status === "running" ? "running" : "is about to start"));
  }
  const { bytes_done: done, bytes_total: total, eta, percent, rate, stage } = progress;
  const known = share(run, expected);

  return [
    sentence(stage),
    known === null ? "" : `${percent === null ? "about " : ""}${Math.floor(known)} %`,
    done === null || done === 0 ? "" : `${formatBytes(done)}${total === null ? "" : ` of ${formatBytes(total)}`}`,
    rate === null ? "" : `${formatBytes(rate)}/s`,
    eta === null || eta < 1 ? "" : `${formatDuration(eta)} left`,
  ]
    .filter(Boolean)
    .join(" · ");
};

type RunProgressProps = {
  /** What the last good run read, in bytes. */
  readonly expected: number | null;
  /** One line only: the reason shows on hover. */
  readonly isBrief?: boolean;
  readonly run: Run;
};

export const RunProgress = ({ expected, isBrief = false, run }: RunProgressProps) => (
  <Box minW="0" width="full">
    <Progress.Root
      animated
      aria-label={`Progress of ${run.schedule_id}`}
      colorPalette={run.status === "running" ? "running" : "queued"}
      shape="full"
      size="xs"
      striped={run.status === "running"}
      // What stands still does not move on the screen either.
      value={share(run, expected) ?? (run.status === "running" ? null : 0)}
    >
      <Progress.Track>
        <Progress.Range {...CALM} />
      </Progress.Track>
    </Progress.Root>
    <Text
      color="fg.muted"
      fontSize="xs"
      fontVariantNumeric="tabular-nums"
      mt="1"
      title={run.reason ?? undefined}
      truncate
    >
      {progressText(run, expected)}
    </Text>
    {isBrief || run.progress === null || run.reason === null ? undefined : (
      <Text color="fg.muted" fontSize="xs">
        {sentence(run.reason)}
      </Text>
    )}
  </Box>
);
