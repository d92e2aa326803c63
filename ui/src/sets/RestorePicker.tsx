import { Box, Button, Code, Field, Flex, Input, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useRecovery } from "../api/queries";
import type { RecoveryPlan, ScheduleSummary } from "../api/types";
import { serverNow } from "../clock";
import { formatBytes, formatDuration, formatExact, formatPrecise, momentIn, momentsIn, zonedInput } from "../format";
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
  const moment = Number.isNaN(at) ? "" : zonedInput(at, zone);
  // The field has seconds: what was taken within the chosen one counts.
  const chosen = Number.isNaN(at) ? null : new Date(at + REST_OF_SECOND).toISOString();
  const twice = momentsIn(moment, zone);
  const { data: plan } = useRecovery(schedule.id, chosen);

  return (
    <Stack aria-label="Restore" as="section" borderWidth="1px" gap="3" p="4" rounded="lg">
      <Flex align="start" gap="3" wrap="wrap">
        <Field.Root maxW="xs">
          <Field.Label fontSize="sm">Bring it back as it was at</Field.Label>
          <Input
            onChange={(event) => setAt(momentIn(event.target.value, zone))}
            size="sm"
            step={1}
            type="datetime-local"
            value={moment}
          />
          <Field.HelperText fontSize="xs">
            {chosen === null ? `In ${zone}, like all times of the page.` : `${formatExact(chosen, own)}.`}
          </Field.HelperText>
          {twice.length < 2 ? undefined : (
            <Flex aria-label="The clock says this time twice" gap="1" mt="1" role="group">
              {twice.map((one, index) => (
                <Button
                  aria-pressed={one === at}
                  key={one}
                  onClick={() => setAt(one)}
                  size="2xs"
                  variant={one === at ? "solid" : "outline"}
                >
                  {index === 0 ? "The first time" : "The second time"}
                </Button>
              ))}
            </Flex>
          )}
        </Field.Root>
        {plan !== undefined && plan.sets.length > 0 && schedule.permissions.edit ? (
          <Button colorPalette="danger" mt="6" onClick={() => setAsking(true)} size="sm" variant="outline">
            Restore …
          </Button>
        ) : undefined}
      </Flex>
      {plan === undefined ? undefined : <Plan plan={plan} ownZone={own} />}
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
