import { Box, SimpleGrid, Stack } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { EngineInfo } from "../api/types";
import { CronField } from "./CronField";
import { type Bind, Choice, GroupTitle, TextField, withOther } from "./fields";
import { type Form, PRESETS, type When } from "./form";
import type { Sorted } from "./places";
import { OtherSourceFields, SourceFields } from "./SourceFields";
import { otherEngine } from "./sources";
import type { WindowChoice } from "./windows";

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
  readonly engines: readonly EngineInfo[];
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
    value: form[name] ?? "",
  });

  const source = { bind, engine: form.engine, engines };
  const isWide = form.when === "cron" || form.when === "levels";

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
          <TextField {...bind("description")} isLong label="Description" placeholder="What it protects, for people" />
          <Choice
            {...bind("engine")}
            label="Engine"
            onChange={(engine) => onChange({ engine, ...otherEngine(engines, engine, form) })}
            options={withOther(
              engines.map(({ name }) => [name, name] as const),
              form.engine,
            )}
          />
          <SourceFields {...source} />
          <TextField {...bind("tags")} label="Tags" placeholder="prod, shop" />
          <OtherSourceFields {...source} key={form.engine} />
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
          {isWide ? undefined : <WhenField bind={bind} when={form.when} />}
          <TextField {...bind("timezone")} label="Timezone" placeholder="UTC" />
          <Choice
            label="May start"
            name="window"
            onChange={(value) => onChange({ window: value as WindowChoice })}
            options={form.window === "written" ? [...WINDOWS, ["written", "As written in YAML"]] : WINDOWS}
            value={form.window}
          />
        </SimpleGrid>
        {isWide ? (
          <Box mt="4">
            <WhenField bind={bind} when={form.when} />
          </Box>
        ) : undefined}
        {form.window === "custom" ? (
          <SimpleGrid columns={{ base: 2, md: 4 }} gap="4" mt="4">
            <TextField {...bind("days")} label="Days" placeholder="mon-fri" />
            <TextField {...bind("from")} label="From" placeholder="22:00" />
            <TextField {...bind("to")} label="To" placeholder="06:00" />
            <TextField {...bind("windowZone")} label="In the zone" placeholder={form.timezone.trim() || "UTC"} />
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

const WhenField = ({ bind, when }: { readonly bind: Bind<keyof Form>; readonly when: When }) => {
  if (when === "preset") {
    return <Choice {...bind("preset")} label="Which" options={withOther(PRESETS, bind("preset").value)} />;
  }
  if (when === "cron") {
    return <CronField {...bind("cron")} isOpen label="Cron" placeholder="0 2 * * *" required />;
  }
  if (when === "every") {
    return <TextField {...bind("every")} label="Every" placeholder="45m" required />;
  }
  if (when === "after") {
    return <TextField {...bind("after")} label="Which" placeholder="orders, users" required />;
  }

  return (
    <SimpleGrid columns={{ base: 1, md: 2 }} gap="3">
      <CronField {...bind("full")} label="Full" placeholder="0 2 * * sun" />
      <CronField {...bind("incremental")} label="Incremental" placeholder="0 2 * * mon-sat" />
      <CronField {...bind("differential")} label="Differential" placeholder="none" />
      <CronField {...bind("archiveLog")} label="Archived log" placeholder="none" />
    </SimpleGrid>
  );
};
