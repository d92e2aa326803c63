import { Box, Button, Code, Field, Flex, Input, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { hostUrl } from "../api/client";
import { useRecovery, useRestoreSet } from "../api/queries";
import type { RecoveryPlan, ScheduleSummary } from "../api/types";
import { serverNow } from "../clock";
import { formatBytes, formatDuration, formatMoment, momentIn, zonedInput } from "../format";
import { Confirm } from "./Confirm";
import { tell, tellError } from "./toaster";

const REST_OF_SECOND = 999;

type RestorePickerProps = { readonly schedule: ScheduleSummary };

/** Choose a moment; see which sets bring it back, how much that reads, how long it takes, and what is missing. */
export const RestorePicker = ({ schedule }: RestorePickerProps) => {
  const { timezone: zone } = schedule;
  const [moment, setMoment] = useState(() => zonedInput(serverNow(), zone));
  const [isAsking, setAsking] = useState(false);
  // The field has seconds: what was taken within the chosen one counts.
  const at = momentIn(moment, zone);
  const chosen = Number.isNaN(at) ? null : new Date(at + REST_OF_SECOND).toISOString();
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const { data: plan } = useRecovery(schedule.id, chosen);

  return (
    <Stack aria-label="Restore" as="section" borderWidth="1px" gap="3" p="4" rounded="lg">
      <Flex align="start" gap="3" wrap="wrap">
        <Field.Root maxW="xs">
          <Field.Label fontSize="sm">Bring it back as it was at</Field.Label>
          <Input
            onChange={(event) => setMoment(event.target.value)}
            size="sm"
            step={1}
            type="datetime-local"
            value={moment}
          />
          <Field.HelperText fontSize="xs">
            In {zone}, like all times here.
            {chosen === null || own === zone ? "" : ` In your own zone, ${own}: ${formatMoment(chosen, own)}.`}
          </Field.HelperText>
        </Field.Root>
        {plan !== undefined && plan.sets.length > 0 && schedule.permissions.edit ? (
          <Button colorPalette="danger" mt="6" onClick={() => setAsking(true)} size="sm" variant="outline">
            Restore …
          </Button>
        ) : undefined}
      </Flex>
      {plan === undefined ? undefined : <Plan plan={plan} timeZone={schedule.timezone} />}
      {isAsking && plan !== undefined ? (
        <RestoreDialog onClose={() => setAsking(false)} plan={plan} schedule={schedule} />
      ) : undefined}
    </Stack>
  );
};

type PlanProps = { readonly plan: RecoveryPlan; readonly timeZone: string };

const Plan = ({ plan, timeZone }: PlanProps) => (
  <Box aria-live="polite">
    {plan.consistent_at === null ? (
      <Text color="fg.error" fontSize="sm" fontWeight="semibold">
        Nothing brings that moment back.
        {plan.earliest === null ? "" : ` The first that can be restored is ${formatMoment(plan.earliest, timeZone)}.`}
      </Text>
    ) : (
      <>
        <Text fontSize="sm">
          Comes back as of <strong>{formatMoment(plan.consistent_at, timeZone)}</strong>: reads{" "}
          {formatBytes(plan.bytes_to_read)} of {plan.sets.map((set) => set.kind.replace("_", " ")).join(" + ")}, takes about{" "}
          {formatDuration(plan.seconds)} ({plan.measured ? "as measured" : "assumed, nothing was measured yet"}).
        </Text>
        <Code display="block" fontSize="xs" mt="2" overflowX="auto" p="2" whiteSpace="pre">
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

type RestoreDialogProps = { readonly onClose: () => void; readonly plan: RecoveryPlan; readonly schedule: ScheduleSummary };

/** Restores the last set of the plan into a new folder on a worker; the id is typed, so that no click does it. */
const RestoreDialog = ({ onClose, plan, schedule }: RestoreDialogProps) => {
  const [target, setTarget] = useState(`${schedule.id}-${(plan.consistent_at ?? "").slice(0, 10)}`);
  const [confirm, setConfirm] = useState("");
  const { isPending, mutate } = useRestoreSet();
  const last = plan.sets.at(-1);

  return (
    <Confirm
      action="Restore"
      isBusy={isPending}
      isReady={confirm === schedule.id && target.trim() !== "" && last !== undefined}
      onClose={onClose}
      onConfirm={() => {
        if (last !== undefined) {
          mutate(
            { at: plan.at, confirm, setId: last.set_id, target: target.trim() },
            {
              onError: (error) => tellError("The restore did not start", error),
              onSuccess: ({ dag_id: dag, run_id: run }) => {
                tell("The restore runs", hostUrl(`dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`));
                onClose();
              },
            },
          );
        }
      }}
      palette="danger"
      title={`Restore ${schedule.id}`}
    >
      <Text color="fg.muted" fontSize="sm">
        Written on a worker, into a new folder below those that an administrator allows. What is there is never touched.
      </Text>
      <Field.Root>
        <Field.Label fontSize="sm">Folder, or connection:ID/database</Field.Label>
        <Input onChange={(event) => setTarget(event.target.value)} size="sm" value={target} />
      </Field.Root>
      <Field.Root>
        <Field.Label fontSize="sm">Type {schedule.id} to confirm</Field.Label>
        <Input autoComplete="off" onChange={(event) => setConfirm(event.target.value)} size="sm" value={confirm} />
      </Field.Root>
    </Confirm>
  );
};
