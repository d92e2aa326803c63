import { Badge, Box, Flex, Link, Table, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Run, ScheduleSummary } from "../api/types";
import { formatBytes, sentence } from "../format";
import { needsAttention } from "../words";
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
  readonly onEdit: (id: string) => void;
  readonly onOpen: (id: string) => void;
  readonly schedule: ScheduleSummary;
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

export const ScheduleRow = ({ activeRun, onEdit, onOpen, schedule, strip, tick }: ScheduleRowProps) => (
  <Table.Row {...CARD} data-testid={`schedule-${schedule.id}`}>
    {tick}
    <Table.Cell {...CARD_CELL} gridColumn={tick === undefined ? "1 / 3" : "2"}>
      <EnableSwitch schedule={schedule} />
    </Table.Cell>
    <Table.Cell {...CARD_CELL} gridColumn="3" maxW="sm" minW={{ base: "0", md: "56" }}>
      <Flex align="center" gap="2" wrap="wrap">
        <Link as="button" fontWeight="semibold" textAlign="start" onClick={() => onOpen(schedule.id)}>
          {schedule.id}
        </Link>
        {needsAttention(schedule) ? <ProtectionBadge schedule={schedule} /> : undefined}
        <Marks schedule={schedule} />
        {schedule.tags.map((tag) => (
          <Badge colorPalette="none" key={tag} size="xs" variant="outline">
            {tag}
          </Badge>
        ))}
      </Flex>
      {schedule.description === null ? undefined : (
        <Text color="fg.muted" fontSize="xs" lineClamp={1} title={schedule.description}>
          {schedule.description}
        </Text>
      )}
    </Table.Cell>
    <Table.Cell {...line("Backup")} maxW={{ md: "2xs" }}>
      <Text me={{ base: "2", md: "0" }}>{schedule.engine ?? "–"}</Text>
      <Rhythms schedule={schedule} />
    </Table.Cell>
    <Table.Cell {...line("Next run")}>
      <NextRunCell schedule={schedule} />
    </Table.Cell>
    <Table.Cell {...line("Last run")} minW={{ base: "0", md: "44" }}>
      <LastRunCell activeRun={activeRun} schedule={schedule} />
    </Table.Cell>
    <Table.Cell {...line("Last 30 days")}>{strip}</Table.Cell>
    <Table.Cell {...line("Size")} fontVariantNumeric="tabular-nums" whiteSpace="nowrap">
      {formatBytes(schedule.last_good?.bytes_stored ?? null)}
    </Table.Cell>
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
      <Box width="52">
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
        </Text>
      )}
    </Flex>
  );
};
