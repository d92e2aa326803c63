import { Box, SimpleGrid, Stack } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { Choice, GroupTitle, TextField } from "./fields";
import { type Form, PRESETS, type Sorted, SOURCE_FIELDS, type SourceField, type When, type WindowChoice } from "./form";

const WHEN: readonly (readonly [When, string])[] = [
  ["preset", "At well-known times"],
  ["cron", "Cron expression"],
  ["every", "In a steady rhythm"],
  ["levels", "Full and incremental"],
  ["after", "After other schedules"],
];

const WINDOWS: readonly (readonly [WindowChoice, string])[] = [
  ["any", "At any time"],
  ["off_hours", "Off hours"],
  ["business_hours", "Business hours"],
  ["custom", "Own times"],
];

type FormFieldsProps = {
  readonly engines: readonly string[];
  readonly fields: Sorted["fields"];
  readonly form: Form;
  readonly isNew: boolean;
  readonly onChange: (change: Partial<Form>) => void;
};

/** The keys that most schedules need; all others are on the YAML tab. */
export const FormFields = ({ engines, fields, form, isNew, onChange }: FormFieldsProps) => {
  const bind = (name: keyof Form) => ({
    name,
    onChange: (value: string) => onChange({ [name]: value }),
    problem: fields[name],
    value: form[name],
  });

  return (
    <Stack gap="7">
      <Group title="What">
        <SimpleGrid columns={{ base: 1, md: 2 }} gap="4">
          <TextField
            {...bind("id")}
            hint={isNew ? "Small letters, digits, - and _" : "The id stays; clone the schedule to rename it"}
            label="Id"
            placeholder="orders"
            readOnly={!isNew}
            required
          />
          <TextField {...bind("description")} label="Description" placeholder="What it protects, for people" />
          <Choice {...bind("engine")} label="Engine" options={engines.map((name) => [name, name] as const)} />
          {(SOURCE_FIELDS[form.engine] ?? []).map((field) => (
            <SourceFieldInput bind={bind} engine={form.engine} field={field} key={field} />
          ))}
          <TextField {...bind("tags")} label="Tags" placeholder="prod, shop" />
        </SimpleGrid>
      </Group>
      <Group title="Where to">
        <SimpleGrid columns={{ base: 1, md: 2 }} gap="4">
          <TextField {...bind("repository")} label="Repository" placeholder="s3://bucket/backups" required />
          <TextField {...bind("connection")} label="Its Airflow connection" placeholder="none" />
        </SimpleGrid>
      </Group>
      <Group title="When">
        <SimpleGrid columns={{ base: 1, md: 2 }} gap="4">
          <Choice
            label="Runs"
            name="when"
            onChange={(value) => onChange({ when: value as When })}
            options={WHEN}
            value={form.when}
          />
          <WhenField bind={bind} when={form.when} />
          <TextField {...bind("timezone")} label="Timezone" placeholder="UTC" />
          <Choice
            label="May start"
            name="window"
            onChange={(value) => onChange({ window: value as WindowChoice })}
            options={form.window === "written" ? [...WINDOWS, ["written", "As written in YAML"]] : WINDOWS}
            value={form.window}
          />
        </SimpleGrid>
        {form.window === "custom" ? (
          <SimpleGrid columns={3} gap="4" mt="4">
            <TextField {...bind("days")} label="Days" placeholder="mon-fri" />
            <TextField {...bind("from")} label="From" placeholder="22:00" />
            <TextField {...bind("to")} label="To" placeholder="06:00" />
          </SimpleGrid>
        ) : undefined}
      </Group>
      <Group title="How long kept">
        <SimpleGrid columns={{ base: 2, md: 4 }} gap="4">
          <TextField {...bind("last")} label="Newest" placeholder="7" />
          <TextField {...bind("daily")} label="Daily" placeholder="14" />
          <TextField {...bind("weekly")} label="Weekly" placeholder="8" />
          <TextField {...bind("monthly")} label="Monthly" placeholder="12" />
        </SimpleGrid>
      </Group>
      <Group title="When it fails">
        <SimpleGrid columns={{ base: 1, md: 3 }} gap="4">
          <TextField {...bind("retries")} label="Try again" placeholder="3 times" />
          <TextField {...bind("retryDelay")} label="After" placeholder="30s" />
          <TextField {...bind("alertAfter")} label="Too old after" placeholder="26h" />
        </SimpleGrid>
      </Group>
    </Stack>
  );
};

const Group = ({ children, title }: { readonly children: ReactNode; readonly title: string }) => (
  <Box as="fieldset">
    <GroupTitle text={title} />
    {children}
  </Box>
);

type Bound = ReturnType<(name: keyof Form) => Omit<Parameters<typeof TextField>[0], "label">>;

type SourceFieldInputProps = {
  readonly bind: (name: keyof Form) => Bound;
  readonly engine: string;
  readonly field: SourceField;
};

const METHODS: readonly (readonly [string, string])[] = [
  ["logical", "A dump of the database"],
  ["physical", "The files of the server"],
];

/** One option of the source; which ones are asked for depends on the engine. */
const SourceFieldInput = ({ bind, engine, field }: SourceFieldInputProps) => {
  switch (field) {
    case "database":
      return <TextField {...bind(field)} label="Database" placeholder="the connection's" />;
    case "exclude":
      return <TextField {...bind(field)} label="Leave out" placeholder="*.tmp, cache/" />;
    case "method":
      return <Choice {...bind(field)} label="How" options={METHODS} />;
    case "path":
      return engine === "sqlite" ? (
        <TextField {...bind(field)} label="Database file" placeholder="/srv/shop/orders.db" />
      ) : (
        <TextField {...bind(field)} label="Path" placeholder="/srv/wiki, /etc" required />
      );
    case "resticRepository":
      return <TextField {...bind(field)} label="restic's repository" placeholder="/srv/restic" required />;
    case "sourceConnection":
      return engine === "sqlite" ? (
        <TextField {...bind(field)} label="Or its Airflow connection" placeholder="orders_db" />
      ) : (
        <TextField {...bind(field)} label="Airflow connection" placeholder="orders_db" required />
      );
  }
};

const WhenField = ({ bind, when }: { readonly bind: (name: keyof Form) => Bound; readonly when: When }) => {
  if (when === "preset") {
    return <Choice {...bind("preset")} label="Which" options={PRESETS} />;
  }
  if (when === "cron") {
    return <TextField {...bind("cron")} label="Cron" placeholder="0 2 * * *" required />;
  }
  if (when === "every") {
    return <TextField {...bind("every")} label="Every" placeholder="45m" required />;
  }
  if (when === "after") {
    return <TextField {...bind("after")} label="Which" placeholder="orders, users" required />;
  }

  return (
    <SimpleGrid columns={2} gap="2">
      <TextField {...bind("full")} label="Full" placeholder="0 2 * * sun" />
      <TextField {...bind("incremental")} label="Incremental" placeholder="0 2 * * mon-sat" />
      <TextField {...bind("differential")} label="Differential" placeholder="none" />
      <TextField {...bind("archiveLog")} label="Archived log" placeholder="none" />
    </SimpleGrid>
  );
};
