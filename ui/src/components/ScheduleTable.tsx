import { Box, Button, Flex, Table } from "@chakra-ui/react";

import type { Run, ScheduleSummary } from "../api/types";
import { ArrowDown, ArrowUp } from "./icons";
import { ScheduleRow } from "./ScheduleRow";

const COLUMNS = [
  { key: "id", label: "Schedule" },
  { key: null, label: "Backup" },
  { key: "next_run", label: "Next run" },
  { key: "last_run", label: "Last run" },
  { key: "bytes", label: "Size" },
] as const;

type ScheduleTableProps = {
  readonly activeRuns: ReadonlyMap<string, Run>;
  readonly onOpen: (id: string) => void;
  readonly onSort: (sort: string) => void;
  readonly schedules: ScheduleSummary[];
  readonly sort: string;
};

export const ScheduleTable = ({ activeRuns, onOpen, onSort, schedules, sort }: ScheduleTableProps) => (
  <Box overflowX="auto">
    <Table.Root aria-label="Backup schedules" interactive minW="4xl" size="sm">
      <Table.Header>
        <Table.Row bg="transparent">
          <Table.ColumnHeader width="14" />
          {COLUMNS.map(({ key, label }) => (
            <Header key={label} label={label} onSort={onSort} sort={sort} sortKey={key} />
          ))}
          <Table.ColumnHeader width="14" />
        </Table.Row>
      </Table.Header>
      <Table.Body>
        {schedules.map((schedule) => (
          <ScheduleRow activeRun={activeRuns.get(schedule.id) ?? null} key={schedule.id} onOpen={onOpen} schedule={schedule} />
        ))}
      </Table.Body>
    </Table.Root>
  </Box>
);

type HeaderProps = {
  readonly label: string;
  readonly onSort: (sort: string) => void;
  readonly sort: string;
  readonly sortKey: string | null;
};

const Header = ({ label, onSort, sort, sortKey }: HeaderProps) => {
  if (sortKey === null) {
    return <Table.ColumnHeader color="fg.muted" fontWeight="medium">{label}</Table.ColumnHeader>;
  }
  const up = sort === sortKey;
  const down = sort === `-${sortKey}`;

  return (
    <Table.ColumnHeader aria-sort={up ? "ascending" : down ? "descending" : "none"}>
      <Button
        color={up || down ? "fg" : "fg.muted"}
        fontSize="sm"
        fontWeight="medium"
        height="auto"
        minW="0"
        onClick={() => onSort(up ? `-${sortKey}` : sortKey)}
        px="0"
        variant="plain"
      >
        <Flex align="center" gap="1">
          {label}
          {up ? <ArrowUp size="0.8em" /> : down ? <ArrowDown size="0.8em" /> : undefined}
        </Flex>
      </Button>
    </Table.ColumnHeader>
  );
};
