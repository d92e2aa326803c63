import { Button, Flex, NativeSelect, Text } from "@chakra-ui/react";
import { useState } from "react";

import { usePinSet, useVerifySet } from "../api/changes";
import { useRequests } from "../api/sets";
import type { ScheduleSummary, SetPermissions, SetSummary, VerificationLevel } from "../api/types";
import { formatMoment } from "../format";
import { Confirm } from "../shared/Confirm";
import { firstUntil, isToCome, Until, untilOf } from "../shared/dialogs";
import { Hint } from "../shared/Hint";
import { Lock, Pin } from "../shared/icons";
import { tell, tellError } from "../shared/toaster";
import { isOver, LEVEL_NAMES, LEVELS } from "../words";
import { Refusal } from "./Refusal";
import { RequestLine } from "./RequestLine";
import { TypedId } from "../shared/TypedId";

type SetActionsProps = {
  readonly permissions: SetPermissions;
  readonly schedule: ScheduleSummary;
  readonly set: SetSummary;
};

const ORDER: readonly VerificationLevel[] = ["quick", "standard", "full", "restore_test"];

/** What a person may do with a set: verify it, pin it, lock it. */
export const SetActions = ({ permissions, schedule, set }: SetActionsProps) => (
  <Flex align="start" gap="3" wrap="wrap">
    {permissions.verify ? <Verify schedule={schedule} set={set} /> : undefined}
    {permissions.pin ? <PinButton set={set} /> : undefined}
    {permissions.pin ? <LockButton mayLock={permissions.lock} schedule={schedule} set={set} /> : undefined}
  </Flex>
);

const Verify = ({ schedule, set }: Omit<SetActionsProps, "permissions">) => {
  const [level, setLevel] = useState<VerificationLevel>("full");
  const { isPending, mutate } = useVerifySet();
  const last = useRequests(schedule.id).data?.runs.find((run) => run.verb === "verify" && run.set_id === set.set_id);

  return (
    <Flex direction="column" gap="1">
      <Flex gap="2" wrap="wrap">
        <NativeSelect.Root size="xs" width="auto">
          <NativeSelect.Field
            aria-label="How thoroughly"
            onChange={(event) => setLevel(event.target.value as VerificationLevel)}
            value={level}
          >
            {ORDER.map((each) => (
              <option key={each} value={each}>
                {LEVEL_NAMES[each]}: {LEVELS[each]}
              </option>
            ))}
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
        <Button
          aria-label={`Verify set ${set.set_id}`}
          disabled={last !== undefined && !isOver(last)}
          loading={isPending}
          onClick={() =>
            mutate(
              { level, setId: set.set_id },
              {
                onError: (error) => tellError("The verification did not start", error),
                onSuccess: () => tell("The verification runs", "What it finds shows up here."),
              },
            )
          }
          size="xs"
          variant="outline"
        >
          Verify
        </Button>
      </Flex>
      {last === undefined ? undefined : <RequestLine run={last} />}
    </Flex>
  );
};

const PinButton = ({ set }: { readonly set: SetSummary }) => {
  const { isPending, mutate } = usePinSet(set.set_id);

  return (
    <Button
      aria-label={`${set.pinned ? "Unpin" : "Pin"} set ${set.set_id}`}
      loading={isPending}
      onClick={() =>
        mutate(
          { pinned: !set.pinned },
          {
            onError: (error) => tellError("Nothing was changed", error),
            onSuccess: ({ pinned }) =>
              tell(pinned ? "The set is pinned" : "The set is not pinned any more", PINNED[String(pinned)]),
          },
        )
      }
      size="xs"
      variant="outline"
    >
      <Pin /> {set.pinned ? "Unpin" : "Pin"}
    </Button>
  );
};

const PINNED: Record<string, string> = {
  false: "The rules decide again what becomes of it.",
  true: "It is kept whatever the rules say.",
};

type LockButtonProps = { readonly mayLock: boolean; readonly schedule: ScheduleSummary; readonly set: SetSummary };

const LockButton = ({ mayLock, schedule, set }: LockButtonProps) => {
  const [isAsking, setAsking] = useState(false);

  return (
    <>
      <Hint text={mayLock ? null : "A lock cannot be taken back: it takes the right to delete the schedule"}>
        <Button
          aria-disabled={!mayLock}
          aria-label={`Lock set ${set.set_id}`}
          onClick={() => setAsking(mayLock)}
          opacity={mayLock ? 1 : 0.5}
          size="xs"
          variant="outline"
        >
          <Lock /> Lock until …
        </Button>
      </Hint>
      {isAsking ? <LockDialog onClose={() => setAsking(false)} schedule={schedule} set={set} /> : undefined}
    </>
  );
};

type LockDialogProps = { readonly onClose: () => void; readonly schedule: ScheduleSummary; readonly set: SetSummary };

/** Lets nobody remove a set before a moment; the id is typed, so that no click does it. */
const LockDialog = ({ onClose, schedule, set }: LockDialogProps) => {
  const [until, setUntil] = useState(firstUntil);
  const [confirm, setConfirm] = useState("");
  const { error, isPending, mutate } = usePinSet(set.set_id);
  const isLonger = set.locked_until === null || until > Date.parse(set.locked_until);

  return (
    <Confirm
      action="Lock"
      isBusy={isPending}
      isReady={isToCome(until) && isLonger && confirm === schedule.id}
      onClose={onClose}
      onConfirm={() =>
        mutate(
          { confirm, lock_until: untilOf(until) },
          {
            onSuccess: ({ locked_until: moment }) => {
              tell("The set is locked", moment === null ? undefined : `Until ${formatMoment(moment)}.`);
              onClose();
            },
          },
        )
      }
      palette="danger"
      title={`Lock set ${set.set_id}`}
    >
      <Text fontSize="sm">
        No rule and no person removes the set through the page or a shell before that moment. It cannot be taken back,
        only made longer.
      </Text>
      <Until label="Lock until" onChange={setUntil} value={until} />
      {isLonger || set.locked_until === null ? undefined : (
        <Text color="fg.error" fontSize="xs" role="status">
          It is locked until {formatMoment(set.locked_until)} already; a lock is made longer, never shorter.
        </Text>
      )}
      <TypedId id={schedule.id} onChange={setConfirm} value={confirm} />
      {error === null ? undefined : <Refusal error={error} title="The set was not locked" />}
    </Confirm>
  );
};
