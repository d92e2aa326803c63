import { Box, Code, DataList, Skeleton, Stack, Text } from "@chakra-ui/react";

import { useNextRuns } from "../api/queries";
import type { ScheduleDetail } from "../api/types";
import { formatExact, formatMoment, sentence } from "../format";
import { toYaml } from "../yaml";
import { Failure } from "../shared/Failure";

export const Definition = ({ schedule }: { readonly schedule: ScheduleDetail }) => (
  <Stack gap="4">
    <DataList.Root orientation="horizontal" size="sm">
      <Fact label="Source" value={[schedule.engine, schedule.source].filter(Boolean).join(" · ") || "–"} />
      <Fact label="Repository" value={schedule.repository ?? "–"} />
      {schedule.rhythms.map(({ kind, text, when }) => (
        <Fact key={kind} label={sentence(kind.replace("_", " "))} title={when} value={text} />
      ))}
      <Fact label="Timezone" value={schedule.timezone} />
      <Fact
        label="Written in"
        value={schedule.made === null ? schedule.origin : `the catalog, by ${schedule.made.author}`}
      />
    </DataList.Root>
    <Box as="details" fontSize="sm">
      <Text as="summary" color="fg.muted" cursor="pointer" fontSize="xs">
        Everything in effect, defaults and templates applied
      </Text>
      <Code
        as="pre"
        bg="bg.subtle"
        display="block"
        fontSize="xs"
        mt="2"
        overflowX="auto"
        p="3"
        tabIndex={0}
        rounded="md"
        whiteSpace="pre"
      >
        {toYaml(schedule.definition)}
      </Code>
    </Box>
  </Stack>
);

const Fact = ({ label, title, value }: { readonly label: string; readonly title?: string; readonly value: string }) => (
  <DataList.Item>
    <DataList.ItemLabel minW="28">{label}</DataList.ItemLabel>
    <DataList.ItemValue overflowWrap="anywhere" title={title}>
      {value}
    </DataList.ItemValue>
  </DataList.Item>
);

/** The coming runs, with windows and calendars applied. */
export const ComingRuns = ({ schedule }: { readonly schedule: ScheduleDetail }) => {
  const { data, error, isPending, refetch } = useNextRuns(schedule.id, 10);
  const [rhythm] = schedule.rhythms;

  if (isPending) {
    return <Skeleton height="20" />;
  }
  if (data === undefined) {
    return <Failure error={error} onRetry={() => void refetch()} what="The coming runs" />;
  }
  if (data.runs.length === 0) {
    return (
      <Text color="fg.muted" fontSize="sm">
        {rhythm === undefined ? "Nothing is due." : `${rhythm.text}.`}
      </Text>
    );
  }

  return (
    <Stack gap="3">
      {schedule.enabled === true ? undefined : (
        <Text color="fg.muted" fontSize="sm">
          The schedule is disabled; this is when it would run.
        </Text>
      )}
      <Stack as="ol" gap="1">
        {data.runs.map((run) => (
          <Text
            as="li"
            color={run.skipped === null ? "fg" : "fg.muted"}
            fontSize="sm"
            fontVariantNumeric="tabular-nums"
            key={run.at}
          >
            <time
              dateTime={run.at}
              style={run.skipped === null ? undefined : { textDecoration: "line-through" }}
              title={formatExact(run.at, data.timezone)}
            >
              {formatMoment(run.at, data.timezone)}
            </time>
            <Text as="span" color="fg.muted">
              {" · "}
              {run.kind.replace("_", " ")}
              {run.skipped === null ? "" : ` · skipped: ${run.skipped}`}
              {run.opens_at === null || run.opens_at === run.at
                ? ""
                : ` · waits for its window until ${formatMoment(run.opens_at, data.timezone)}`}
            </Text>
          </Text>
        ))}
      </Stack>
    </Stack>
  );
};
