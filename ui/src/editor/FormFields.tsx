import { Box, SimpleGrid, Stack } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { Choice, GroupTitle, TextField } from "./fields";
import { type Form, PRESETS, type Sorted, type When, type WindowChoice } from "./form";

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
          <TextField
            {...bind("path")}
            label={form.engine === "sqlite" ? "Database file" : "Path"}
            placeholder={form.engine === "sqlite" ? "/srv/shop/orders.db" : "/srv/wiki, /etc"}
            required
          />
          {form.engine === "files" ? (
            <TextField {...bind("exclude")} label="Leave out" placeholder="*.tmp, cache/" />
          ) : undefined}
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
    </SimpleGrid>
  );
};
