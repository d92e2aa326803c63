import { Field, Input, NativeSelect, Text } from "@chakra-ui/react";
import { useState } from "react";

import { hostUrl } from "../api/client";
import { useRestoreSet } from "../api/changes";
import { usePlaces } from "../api/queries";
import type { Place, RecoveryPlan, ScheduleSummary } from "../api/types";
import { formatExact } from "../format";
import { Confirm } from "../shared/Confirm";
import { tell, tellError } from "../shared/toaster";

type RestoreDialogProps = {
  readonly onClose: () => void;
  readonly plan: RecoveryPlan;
  readonly schedule: ScheduleSummary;
};

/** Restores the last set of the plan into a new folder on a worker; the id is typed, so that no click does it. */
export const RestoreDialog = ({ onClose, plan, schedule }: RestoreDialogProps) => {
  const [target, setTarget] = useState(`${schedule.id}-${(plan.consistent_at ?? "").slice(0, 10)}`);
  const [confirm, setConfirm] = useState("");
  const [place, setPlace] = useState("");
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
            {
              at: plan.at,
              confirm,
              paths: [],
              setId: last.set_id,
              target: target.trim(),
              ...(place === "" ? {} : { place }),
            },
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
      {plan.consistent_at === null ? undefined : (
        <Text fontSize="sm">As of {formatExact(plan.consistent_at, schedule.timezone)}.</Text>
      )}
      <Text color="fg.muted" fontSize="sm">
        Written on a worker, into a new folder below those that an administrator allows. What is there is never touched.
      </Text>
      <Field.Root>
        <Field.Label fontSize="sm">Folder, or connection:ID/database</Field.Label>
        <Input onChange={(event) => setTarget(event.target.value)} size="sm" value={target} />
      </Field.Root>
      <PlaceField onChange={setPlace} schedule={schedule.id} value={place} />
      <Field.Root>
        <Field.Label fontSize="sm">Type {schedule.id} to confirm</Field.Label>
        <Input autoComplete="off" onChange={(event) => setConfirm(event.target.value)} size="sm" value={confirm} />
      </Field.Root>
    </Confirm>
  );
};

type PlaceFieldProps = { readonly onChange: (dag: string) => void; readonly schedule: string; readonly value: string };

/** Which workers write; there is nothing to choose where all schedules have the same. */
const PlaceField = ({ onChange, schedule, value }: PlaceFieldProps) => {
  const { data } = usePlaces();

  if (data === undefined || data.places.length < 2) {
    return undefined;
  }

  return (
    <Field.Root>
      <Field.Label fontSize="sm">Workers</Field.Label>
      <NativeSelect.Root size="sm">
        <NativeSelect.Field onChange={(event) => onChange(event.target.value)} value={value}>
          <option value="">Those of {schedule}</option>
          {data.places.map((place) => (
            <option key={place.id} value={place.id}>
              {nameOf(place)}
            </option>
          ))}
        </NativeSelect.Field>
        <NativeSelect.Indicator />
      </NativeSelect.Root>
      <Field.HelperText fontSize="xs">The folder is one of the machine that writes.</Field.HelperText>
    </Field.Root>
  );
};

const nameOf = ({ executor, executor_config: template, hosts, pool, queue }: Place): string => {
  const parts = [
    queue === null ? "Airflow's default queue" : `queue ${queue}`,
    executor,
    template,
    pool === null ? null : `pool ${pool}`,
  ];

  return `${parts.filter((part) => part !== null).join(", ")}${hosts.length === 0 ? "" : ` (${hosts.join(", ")})`}`;
};
