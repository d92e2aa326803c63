import { Box, Button, Code, Flex, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useRecovery } from "../api/queries";
import type { RecoveryPlan, ScheduleSummary } from "../api/types";
import { serverNow } from "../clock";
import { formatBytes, formatDuration, formatExact, formatPrecise } from "../format";
import { Failure } from "../shared/Failure";
import { MomentField } from "../shared/MomentField";
import { usePageZone } from "../zone";
import { RestoreDialog } from "./RestoreDialog";

const REST_OF_SECOND = 999;

type RestorePickerProps = { readonly schedule: ScheduleSummary };

/** Choose a moment; see which sets bring it back, how much that reads, how long it takes, and what is missing. */
export const RestorePicker = ({ schedule }: RestorePickerProps) => {
  const { timezone: own } = schedule;
  const zone = usePageZone();
  // The moment is what was chosen, not its letters: with another zone the field says the same moment otherwise.
  const [at, setAt] = useState(() => Math.floor(serverNow() / 1000) * 1000);
  const [isAsking, setAsking] = useState(false);
  // The field has seconds: what was taken within the chosen one counts.
  const chosen = Number.isNaN(at) ? null : new Date(at + REST_OF_SECOND).toISOString();
  const { data: plan, error, isPlaceholderData: isOfAnother, refetch } = useRecovery(schedule.id, chosen);

  return (
    <Stack aria-label="Restore" as="section" borderWidth="1px" gap="3" p="4" rounded="lg">
      <Flex align="start" gap="3" wrap="wrap">
        <MomentField hasSeconds label="Bring it back as it was at" onChange={setAt} value={at}>
          {chosen === null ? `In ${zone}, like all times of the page.` : `${formatExact(chosen, own)}.`}
        </MomentField>
        {plan !== undefined && plan.sets.length > 0 && schedule.permissions.edit ? (
          <Button
            colorPalette="danger"
            disabled={isOfAnother}
            mt="6"
            onClick={() => setAsking(true)}
            size="sm"
            variant="outline"
          >
            Restore …
          </Button>
        ) : undefined}
      </Flex>
      {plan === undefined ? undefined : (
        <Box opacity={isOfAnother ? 0.5 : 1}>
          <Plan plan={plan} ownZone={own} />
        </Box>
      )}
      {error === null ? undefined : (
        <Failure error={error} onRetry={() => void refetch()} what="What brings that moment back" />
      )}
      {isAsking && plan !== undefined ? (
        <RestoreDialog onClose={() => setAsking(false)} plan={plan} schedule={schedule} />
      ) : undefined}
    </Stack>
  );
};

type PlanProps = { readonly ownZone: string; readonly plan: RecoveryPlan };

const Plan = ({ ownZone, plan }: PlanProps) => (
  <Box aria-live="polite">
    {plan.consistent_at === null ? (
      <Text color="fg.error" fontSize="sm" fontWeight="semibold">
        Nothing brings that moment back.
        {plan.earliest === null ? "" : ` The first that can be restored is ${formatExact(plan.earliest, ownZone)}.`}
      </Text>
    ) : (
      <>
        <Text fontSize="sm">
          Comes back as of{" "}
          <strong title={formatExact(plan.consistent_at, ownZone)}>{formatPrecise(plan.consistent_at)}</strong>
          {": reads "}
          {formatBytes(plan.bytes_to_read)} of {plan.sets.map((set) => set.kind.replace("_", " ")).join(" + ")}, takes
          about {formatDuration(plan.seconds)} ({plan.measured ? "as measured" : "assumed, nothing was measured yet"}).
        </Text>
        <Code display="block" fontSize="xs" mt="2" overflowX="auto" p="2" tabIndex={0} whiteSpace="pre">
          {plan.command}
        </Code>
      </>
    )}
    {plan.gaps.map((gap) => (
      <Text color="fg.error" fontSize="xs" key={gap} mt="1">
        {gap}
      </Text>
    ))}
  </Box>
);
