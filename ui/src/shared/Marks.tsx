import { Badge, Box } from "@chakra-ui/react";

import type { ScheduleSummary } from "../api/types";
import { formatMoment, sentence } from "../format";
import { Hint } from "./Hint";

/** What is special about a schedule for now: held, saved a moment ago, hidden by a file. */
export const Marks = ({ schedule }: { readonly schedule: ScheduleSummary }) => (
  <>
    {schedule.state === "pending" ? (
      <Hint text="Saved a moment ago; Airflow has yet to read it">
        <Box display="inline-flex">
          <Badge colorPalette="queued" size="sm" variant="subtle">
            Being deployed
          </Badge>
        </Box>
      </Hint>
    ) : undefined}
    {schedule.holds.map((hold) => (
      <Hint key={hold.id} text={sentence(hold.text)}>
        <Box display="inline-flex">
          <Badge colorPalette="deferred" size="sm" variant="subtle">
            {hold.until === null ? "Skips next" : `Paused until ${formatMoment(hold.until, schedule.timezone)}`}
          </Badge>
        </Box>
      </Hint>
    ))}
    {schedule.clash === null ? undefined : (
      <Hint text={sentence(schedule.clash)}>
        <Box display="inline-flex">
          <Badge colorPalette="warning" size="sm" variant="subtle">
            Id in use twice
          </Badge>
        </Box>
      </Hint>
    )}
  </>
);
