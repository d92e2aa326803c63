import { Badge, Box, Flex, Text } from "@chakra-ui/react";

import { hostUrl } from "../api/client";
import type { RequestedRun } from "../api/types";
import { formatBytes, formatDuration, sentence } from "../format";
import { ExternalLink } from "../shared/ExternalLink";
import { StatusBadge } from "../shared/StateBadge";
import { isOver, LEVEL_NAMES } from "../words";

export const runUrl = ({ dag_id: dag, run_id: run }: RequestedRun): string =>
  hostUrl(`dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`);

/** How far it is, as far as it is known. */
export const stageOf = ({ progress, reason, status }: RequestedRun): string => {
  if (progress === null) {
    return sentence(reason ?? (status === "running" ? "is about to begin" : ""));
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

/** A verification that a person asked for, in a line. */
export const RequestLine = ({ run }: { readonly run: RequestedRun }) => (
  <Box aria-live="polite" fontSize="xs">
    <Flex align="center" columnGap="2" wrap="wrap">
      <StatusBadge status={run.status} />
      {run.level === null ? undefined : (
        <Badge colorPalette="none" size="xs" variant="outline">
          {LEVEL_NAMES[run.level]}
        </Badge>
      )}
      <Text color="fg.muted">
        asked for by {run.person}
        {!isOver(run) && stageOf(run) !== "" ? `: ${stageOf(run)}` : ""}
      </Text>
      <ExternalLink href={runUrl(run)}>Log</ExternalLink>
    </Flex>
    {run.error === null ? undefined : (
      <Text color="fg.error" overflowWrap="anywhere">
        {sentence([run.error, run.hint].filter(Boolean).join(" – "))}
      </Text>
    )}
  </Box>
);
