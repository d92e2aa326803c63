import { Button, Flex } from "@chakra-ui/react";
import { useState } from "react";

import { useRestoreSet } from "../api/changes";
import type { RecoveryPlan, ScheduleSummary } from "../api/types";
import { Refusal } from "./Refusal";
import { TypedId } from "../shared/TypedId";

export type Chosen = { readonly paths: readonly string[]; readonly place: string; readonly target: string };

type RestoreFormProps = {
  readonly chosen: Chosen;
  /** The plan that is shown is that of the moment, and what was chosen is right. */
  readonly isReady: boolean;
  readonly onCancel: () => void;
  readonly onStart: (run: string) => void;
  readonly plan: RecoveryPlan;
  readonly schedule: ScheduleSummary;
};

/** Starts the restore of the plan; the id is typed, so that no click does it. */
export const RestoreForm = ({ chosen, isReady, onCancel, onStart, plan, schedule }: RestoreFormProps) => {
  const [confirm, setConfirm] = useState("");
  const { error, isPending, mutate } = useRestoreSet();
  const last = plan.sets.at(-1);
  const mayStart = isReady && confirm === schedule.id && chosen.target.trim() !== "" && last !== undefined;

  const start = (): void => {
    if (mayStart && !isPending) {
      mutate(
        {
          at: plan.at,
          confirm,
          paths: chosen.paths,
          setId: last.set_id,
          target: chosen.target.trim(),
          ...(chosen.place === "" ? {} : { place: chosen.place }),
        },
        { onSuccess: ({ run_id: run }) => onStart(run) },
      );
    }
  };

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
    >
      <Flex align="end" gap="3" wrap="wrap">
        <TypedId id={schedule.id} maxW="xs" onChange={setConfirm} value={confirm} />
        <Button colorPalette="danger" disabled={!mayStart} loading={isPending} size="sm" type="submit">
          Restore
        </Button>
        <Button onClick={onCancel} size="sm" type="button" variant="outline">
          Cancel
        </Button>
      </Flex>
      {error === null ? undefined : <Refusal error={error} title="The restore did not start" />}
    </form>
  );
};
