import { Box, Stack, Text } from "@chakra-ui/react";

import type { RecoveryPlan } from "../api/types";
import { formatBytes, formatDuration, formatExact, formatPrecise } from "../format";
import { Command } from "../shared/CopyButton";
import { Few } from "../shared/Few";
import { commandOf, kindsOf, setText } from "./restoring";

type PlanProps = {
  readonly ownZone: string;
  readonly paths: readonly string[];
  readonly plan: RecoveryPlan;
  /** Empty while nobody has said where to. */
  readonly target: string;
};

/** What a restore would read, how long it would take, what is missing, and the command that does the same. */
export const Plan = ({ ownZone, paths, plan, target }: PlanProps) => (
  <Box aria-live="polite">
    {plan.consistent_at === null ? (
      <Text color="fg.error" fontSize="sm" fontWeight="semibold">
        Nothing brings that moment back.
        {plan.earliest === null ? "" : ` The first that can be restored is ${formatExact(plan.earliest, ownZone)}.`}
      </Text>
    ) : (
      <Stack gap="2">
        <Text fontSize="sm">
          Comes back as of{" "}
          <strong title={formatExact(plan.consistent_at, ownZone)}>{formatPrecise(plan.consistent_at)}</strong>
          {paths.length === 0 ? ": reads " : ": reads at most "}
          {formatBytes(plan.bytes_to_read)} of {kindsOf(plan)}, takes about {formatDuration(plan.seconds)} (
          {plan.measured ? "as measured" : "assumed, nothing was measured yet"}).
        </Text>
        {plan.sets.length < 2 ? undefined : (
          <Box color="fg.muted" fontSize="xs">
            <Few label="Sets that are read">
              {plan.sets.map((set) => (
                <Text as="li" key={set.set_id}>
                  {setText(set)}
                </Text>
              ))}
            </Few>
          </Box>
        )}
        <Command text={commandOf(plan, target, paths)} />
      </Stack>
    )}
    {plan.gaps.map((gap) => (
      <Text color="fg.error" fontSize="xs" key={gap} mt="1">
        {gap}
      </Text>
    ))}
  </Box>
);
