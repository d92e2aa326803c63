import { Field, NativeSelect } from "@chakra-ui/react";

import { usePlaces } from "../api/sets";
import type { Place } from "../api/types";

type PlaceFieldProps = { readonly onChange: (dag: string) => void; readonly schedule: string; readonly value: string };

/** Which workers write; there is nothing to choose where all schedules have the same. */
export const PlaceField = ({ onChange, schedule, value }: PlaceFieldProps) => {
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
