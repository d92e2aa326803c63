import { Badge, Box, Flex, Link, Table, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Run, ScheduleSummary } from "../api/types";
import { Spark } from "../charts/Spark";
import { formatBytes, formatCount, sentence } from "../format";
import { LEVELS, needsAttention } from "../words";
import { type Column, COLUMNS } from "./columns";
import { EnableSwitch } from "./EnableSwitch";
import { Hint } from "../shared/Hint";
import { Marks } from "../shared/Marks";
import { Ago, InZone } from "../shared/moments";
import { RowMenu } from "./RowMenu";
import { RunNowIcon } from "../runs/RunNow";
import { RunProgress } from "../runs/RunProgress";
import { ProtectionBadge, StatusBadge } from "../shared/StateBadge";

type ScheduleRowProps = {
  readonly activeRun: Run | null;
  readonly hidden: ReadonlySet<Column>;
  readonly isCompact: boolean;
  readonly onEdit: (id: string) => void;
  readonly onOpen: (id: string) => void;
  readonly schedule: ScheduleSummary;
  /** How many bytes each of the past days stored. */
  readonly sizes: readonly (number | null)[];
  readonly strip: ReactNode;
  readonly tick: ReactNode;
};

/** A cell of a table that is a part of a card on a phone. */
export const CARD_CELL = {
  border: { mdDown: "none" },
  display: { mdDown: "block" },
  p: { mdDown: "0" },
  role: "cell",
} as const;

/** One that has a line of the card for itself, with what it is. */
const line = (label: string) => ({
  ...CARD_CELL,
  _before: { mdDown: { color: "fg.muted", content: `"${label}"`, flexShrink: "0", fontSize: "xs", width: "24" } },
  alignItems: { mdDown: "baseline" },
  display: { mdDown: "flex" },
  gridColumn: "1 / -1",
  minW: "0",
});

/** On a phone a card: a column out of sight to the right would hide whether the backup is good. */
const CARD = {
  alignItems: { mdDown: "center" },
  borderBottomWidth: { mdDown: "1px" },
  columnGap: "3",
  display: { mdDown: "grid" },
  gridTemplateColumns: "auto auto 1fr auto",
  p: { mdDown: "3" },
  role: "row",
  rowGap: "1.5",
} as const;

export const ScheduleRow = ({
  activeRun,
  hidden,
  isCompact,
  onEdit,
  onOpen,
  schedule,
  sizes,
  strip,
  tick,
}: ScheduleRowProps) => (
  <Table.Row {...CARD} {...(isCompact ? COMPACT : {})} data-testid={`schedule-${schedule.id}`}>
    {tick}
    <Table.Cell {...CARD_CELL} gridColumn={tick === undefined ? "1 / 3" : "2"}>
      <EnableSwitch schedule={schedule} />
    </Table.Cell>
    <Table.Cell {...CARD_CELL} gridColumn="3" maxW="sm" minW={{ base: "0", md: "56" }}>
      <NameCell isCompact={isCompact} onOpen={onOpen} schedule={schedule} />
    </Table.Cell>
    {COLUMNS.filter(({ key }) => !hidden.has(key)).map(({ key, label }) => (
      <Table.Cell {...line(label)} {...WIDTHS[key]} key={key}>
        {key === "strip" ? strip : <ColumnCell activeRun={activeRun} column={key} schedule={schedule} sizes={sizes} />}
      </Table.Cell>
    ))}
    <Table.Cell {...CARD_CELL} gridColumn="4" gridRow="1">
      <Flex align="center" justify="flex-end">
        <RunNowIcon isActive={activeRun !== null} schedule={schedule} />
        <Box width="8">
          <RowMenu onEdit={onEdit} onGone={() => undefined} schedule={schedule} />
        </Box>
      </Flex>
    </Table.Cell>
  </Table.Row>
);

/** Only what has to be read at a glance: twice as many rows on a screen. */
const COMPACT = { css: { "& > td": { md: { paddingBlock: "0.5" } } } } as const;

const WIDTHS: Record<Column, { maxW?: { md: string }; minW?: { base: string; md: string }; whiteSpace?: "nowrap" }> = {
  backup: { maxW: { md: "2xs" } },
  failures: {},
  last_run: { minW: { base: "0", md: "44" } },
  next_run: {},
  size: { whiteSpace: "nowrap" },
  strip: {},
  verified: { whiteSpace: "nowrap" },
};

type NameCellProps = Pick<ScheduleRowProps, "isCompact" | "onOpen" | "schedule">;

const NameCell = ({ isCompact, onOpen, schedule }: NameCellProps) => (
  <>
    <Flex align="center" gap="2" wrap="wrap">
      <Link as="button" fontWeight="semibold" textAlign="start" onClick={() => onOpen(schedule.id)}>
        {schedule.id}
      </Link>
      {needsAttention(schedule) ? <ProtectionBadge schedule={schedule} /> : undefined}
      <Marks schedule={schedule} />
      {isCompact
        ? undefined
        : schedule.tags.map((tag) => (
            <Badge colorPalette="none" key={tag} size="xs" variant="outline">
              {tag}
            </Badge>
          ))}
    </Flex>
    {schedule.description === null || isCompact ? undefined : (
      <Text color="fg.muted" fontSize="xs" lineClamp={1} title={schedule.description}>
        {schedule.description}
      </Text>
    )}
  </>
);

type ColumnCellProps = Pick<ScheduleRowProps, "activeRun" | "schedule" | "sizes"> & {
  readonly column: Exclude<Column, "strip">;
};

const ColumnCell = ({ activeRun, column, schedule, sizes }: ColumnCellProps) => {
  switch (column) {
    case "backup":
      return (
        <>
          <Text me={{ base: "2", md: "0" }}>{schedule.engine ?? "–"}</Text>
          <Rhythms schedule={schedule} />
        </>
      );
    case "failures":
      return <FailuresCell count={schedule.protection.failures_in_row} />;
    case "last_run":
      return <LastRunCell activeRun={activeRun} schedule={schedule} />;
    case "next_run":
      return <NextRunCell schedule={schedule} />;
    case "size":
      return (
        <Flex align="center" fontVariantNumeric="tabular-nums" gap="2" justify="space-between">
          {formatBytes(schedule.last_good?.bytes_stored ?? null)}
          <Spark text={`What ${schedule.id} stored on each of the past 30 days`} values={sizes} />
        </Flex>
      );
    case "verified":
      return <VerifiedCell verified={schedule.last_verified} />;
  }
};

const FailuresCell = ({ count }: { readonly count: number }) => (
  <Hint text={count === 0 ? null : `The last ${formatCount(count, "run")} failed`}>
    <Text
      color={count === 0 ? "fg.muted" : "failed.fg"}
      fontVariantNumeric="tabular-nums"
      fontWeight={count === 0 ? undefined : "semibold"}
    >
      {count === 0 ? "–" : `${count} in a row`}
    </Text>
  </Hint>
);

const VerifiedCell = ({ verified }: { readonly verified: ScheduleSummary["last_verified"] }) =>
  verified === null ? (
    <Text color="fg.muted">Never</Text>
  ) : (
    <Hint text={sentence(LEVELS[verified.level])}>
      <Box>
        <Ago at={verified.at} />
      </Box>
    </Hint>
  );

const Rhythms = ({ schedule }: { readonly schedule: ScheduleSummary }) => {
  const all = schedule.rhythms.map(({ kind, text }) => `${sentence(kind.replace("_", " "))}: ${text}`).join("; ");

  return (
    <Hint text={all}>
      <Text color="fg.muted" fontSize="xs" truncate>
        {schedule.rhythms.map(({ kind }) => kind.replace("_", " ")).join(", ")}
      </Text>
    </Hint>
  );
};

const NextRunCell = ({ schedule }: { readonly schedule: ScheduleSummary }) => {
  const { enabled, next_run: next, rhythms, timezone, waits } = schedule;

  if (next !== null) {
    return <InZone at={next.opens_at ?? next.at} timeZone={timezone} />;
  }
  const [first] = rhythms;
  const text = enabled === false ? "Disabled" : first?.when.startsWith("after ") === true ? first.text : "–";

  return waits === null ? (
    <Text color="fg.muted">{text}</Text>
  ) : (
    <Box>
      <Text color="fg.muted">{text}</Text>
      <Text color="fg.muted" fontSize="xs" overflowWrap="anywhere">
        {sentence(waits)}
      </Text>
    </Box>
  );
};

const LastRunCell = ({
  activeRun,
  schedule,
}: {
  readonly activeRun: Run | null;
  readonly schedule: ScheduleSummary;
}) => {
  if (activeRun !== null) {
    return (
      <Box width="44">
        <RunProgress expected={schedule.last_good?.bytes_read ?? null} isBrief run={activeRun} />
      </Box>
    );
  }
  const { last_run: last } = schedule;

  if (last === null) {
    return <Text color="fg.muted">Never</Text>;
  }
  const at = last.finished_at ?? last.started_at ?? last.queued_at;

  return (
    <Flex align="center" gap="2">
      <Hint text={sentence(last.error ?? last.reason ?? "")}>
        <Box display="inline-flex">
          <StatusBadge status={last.status} />
        </Box>
      </Hint>
      {at === null ? undefined : (
        <Text color="fg.muted" fontSize="xs" whiteSpace="nowrap">
          <Ago at={at} />
          {schedule.protection.failures_in_row > 1 ? `, ${schedule.protection.failures_in_row} in a row` : ""}
        </Text>
      )}
    </Flex>
  );
};
