import { Box, Button, Field, Flex, Input, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useClone, useDelete, usePauseUntil } from "../api/changes";
import type { ScheduleSummary } from "../api/types";
import { serverNow } from "../clock";
import { formatMoment } from "../format";
import { usePageZone } from "../zone";
import { Confirm } from "./Confirm";
import { MomentField } from "./MomentField";
import { tell, tellError } from "./toaster";
import { TypedId } from "./TypedId";

type DialogProps = { readonly onClose: () => void; readonly schedule: ScheduleSummary };

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SPANS: readonly (readonly [string, number])[] = [
  ["4 hours", 4 * HOUR],
  ["1 day", 24 * HOUR],
  ["3 days", 72 * HOUR],
  ["1 week", 168 * HOUR],
];

type UntilProps = { readonly label?: string; readonly onChange: (until: number) => void; readonly value: number };

/** A moment to come, to the minute, in milliseconds. */
const untilIn = (span: number): number => Math.floor((serverNow() + span) / MINUTE) * MINUTE;

export const firstUntil = (): number => untilIn(24 * HOUR);

/** A moment to come, on the clock of the page; the usual spans are one click away. */
export const Until = ({ label: name = "Until", onChange, value }: UntilProps) => (
  <Box>
    <MomentField label={name} onChange={onChange} value={value}>
      In {usePageZone()}.
    </MomentField>
    <Flex gap="1.5" mt="2" wrap="wrap">
      {SPANS.map(([label, span]) => (
        <Button
          key={label}
          onClick={() => onChange(untilIn(span))}
          size="2xs"
          type="button"
          variant="outline"
        >
          {label}
        </Button>
      ))}
    </Flex>
  </Box>
);

type ReasonProps = { readonly onChange: (reason: string) => void; readonly value: string };

export const Reason = ({ onChange, value }: ReasonProps) => (
  <Field.Root>
    <Field.Label fontSize="sm">Reason</Field.Label>
    <Input
      maxLength={500}
      onChange={(event) => onChange(event.target.value)}
      placeholder="For those who wonder"
      size="sm"
      value={value}
    />
  </Field.Root>
);

export const isToCome = (moment: number): boolean => moment > serverNow();

/** A moment as the API takes it. */
export const untilOf = (moment: number): string => new Date(moment).toISOString();

export const PauseDialog = ({ onClose, schedule }: DialogProps) => {
  const [until, setUntil] = useState(firstUntil);
  const [reason, setReason] = useState("");
  const { isPending, mutate } = usePauseUntil(schedule.id);

  return (
    <Confirm
      action="Pause"
      isBusy={isPending}
      isReady={isToCome(until)}
      onClose={onClose}
      onConfirm={() =>
        mutate(
          { reason: reason.trim() === "" ? null : reason.trim(), until: untilOf(until) },
          {
            onError: (error) => tellError(`${schedule.id} was not paused`, error),
            onSuccess: () => {
              tell(`${schedule.id} is paused`, `It goes on by itself ${formatMoment(untilOf(until))}.`);
              onClose();
            },
          },
        )
      }
      title={`Pause ${schedule.id}`}
    >
      <Text color="fg.muted" fontSize="sm">
        Nothing starts on schedule until then. What a person starts runs nevertheless.
      </Text>
      <Until onChange={setUntil} value={until} />
      <Reason onChange={setReason} value={reason} />
    </Confirm>
  );
};

export const CloneDialog = ({ onClose, onMade, schedule }: DialogProps & { readonly onMade: (id: string) => void }) => {
  const [id, setId] = useState(`${schedule.id}-copy`);
  const { isPending, mutate } = useClone(schedule.id);

  return (
    <Confirm
      action="Clone"
      isBusy={isPending}
      isReady={/^[a-z][a-z0-9_-]{0,62}$/u.test(id)}
      onClose={onClose}
      onConfirm={() =>
        mutate(id, {
          onError: (error) => tellError(`${schedule.id} was not cloned`, error),
          onSuccess: (made) => {
            onClose();
            onMade(made.id);
          },
        })
      }
      title={`Clone ${schedule.id}`}
    >
      <Field.Root>
        <Field.Label fontSize="sm">Id of the copy</Field.Label>
        <Input
          autoComplete="off"
          onChange={(event) => setId(event.target.value)}
          size="sm"
          spellCheck={false}
          value={id}
        />
        <Field.HelperText fontSize="xs">The copy can be edited here, and is disabled at first.</Field.HelperText>
      </Field.Root>
    </Confirm>
  );
};

export const DeleteDialog = ({ onClose, onGone, schedule }: DialogProps & { readonly onGone: () => void }) => {
  const [typed, setTyped] = useState("");
  const { isPending, mutate } = useDelete(schedule.id);

  return (
    <Confirm
      action="Delete"
      isBusy={isPending}
      isReady={typed === schedule.id && schedule.made !== null}
      onClose={onClose}
      onConfirm={() =>
        mutate(schedule.made?.version ?? 0, {
          onError: (error) => tellError(`${schedule.id} was not deleted`, error),
          onSuccess: () => {
            tell(`${schedule.id} is deleted`, "Its sets stay in their repository.");
            onClose();
            onGone();
          },
        })
      }
      palette="danger"
      title={`Delete ${schedule.id}`}
    >
      <Text fontSize="sm">
        No further backup is taken and none is pruned. Sets that were stored stay in their repository, and the versions
        of the schedule in the catalog.
      </Text>
      <TypedId id={schedule.id} onChange={setTyped} value={typed} />
    </Confirm>
  );
};
