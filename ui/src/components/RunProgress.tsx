import { Box, Progress, Text } from "@chakra-ui/react";

import type { Run } from "../api/types";
import { formatBytes, formatDuration, sentence } from "../format";

/** What a run is at, as far as it is known. */
export const progressText = ({ progress, reason, status }: Run): string => {
  if (progress === null) {
    return sentence(reason ?? (status === "running" ? "running" : "is about to start"));
  }
  const { bytes_done: done, bytes_total: total, eta, percent, rate, stage } = progress;

  return [
    sentence(stage),
    percent === null ? "" : `${Math.floor(percent)} %`,
    done === null || done === 0 ? "" : `${formatBytes(done)}${total === null ? "" : ` of ${formatBytes(total)}`}`,
    rate === null ? "" : `${formatBytes(rate)}/s`,
    eta === null || eta < 1 ? "" : `${formatDuration(eta)} left`,
  ]
    .filter(Boolean)
    .join(" · ");
};

export const RunProgress = ({ run }: { readonly run: Run }) => (
  <Box minW="0" width="full">
    <Progress.Root
      animated
      aria-label={`Progress of ${run.schedule_id}`}
      colorPalette={run.status === "running" ? "running" : "queued"}
      shape="full"
      size="xs"
      striped={run.status === "running"}
      value={run.progress?.percent ?? null}
    >
      <Progress.Track>
        <Progress.Range />
      </Progress.Track>
    </Progress.Root>
    <Text color="fg.muted" fontSize="xs" fontVariantNumeric="tabular-nums" mt="1" truncate>
      {progressText(run)}
    </Text>
  </Box>
);
