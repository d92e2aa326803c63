import { Box, Flex } from "@chakra-ui/react";

import type { ExecutionStatus } from "../api/types";
import { formatCount } from "../format";
import { STATUSES } from "../words";

type StripProps = {
  readonly days: readonly string[];
  readonly id: string;
  readonly statuses: readonly (ExecutionStatus | null)[] | undefined;
};

/** In words, for those who cannot see the bars. */
export const stripText = (statuses: readonly (ExecutionStatus | null)[]): string => {
  const bad = statuses.filter((status) => status === "failed" || status === "cancelled").length;
  const good = statuses.filter((status) => status === "completed").length;

  return `${formatCount(good, "good day")}, ${formatCount(bad, "bad day")} of the last ${statuses.length}`;
};

const dayText = (day: string): string =>
  new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC", weekday: "short" }).format(
    new Date(`${day}T00:00:00Z`),
  );

/** One bar for each of the past days: the worst that happened on it. */
export const Strip = ({ days, id, statuses }: StripProps) =>
  statuses === undefined ? undefined : (
    <Flex align="flex-end" aria-label={`${id}: ${stripText(statuses)}`} gap="1.5px" height="5" role="img">
      {days.map((day, index) => {
        const status = statuses[index] ?? null;
        const word = status === null ? null : STATUSES[status];

        return (
          <Box
            bg={word === null ? "border" : word.palette === "none" ? "border.emphasized" : `${word.palette}.solid`}
            height={word === null ? "1" : "full"}
            key={day}
            opacity={status === "completed" ? 0.75 : 1}
            rounded="1px"
            title={`${dayText(day)}: ${word === null ? "no run" : word.label}`}
            width="4px"
          />
        );
      })}
    </Flex>
  );
