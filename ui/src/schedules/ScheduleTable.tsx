import { Box, Button, Checkbox, Flex, Table, VisuallyHidden } from "@chakra-ui/react";
import { Fragment } from "react";

import { useDays } from "../api/queries";
import type { Run, ScheduleSummary } from "../api/types";
import { ArrowDown, ArrowUp } from "../shared/icons";
import { COLUMNS, useColumns, useDensity } from "./columns";
import { GroupRow } from "./GroupRow";
import { CARD_CELL, ScheduleRow } from "./ScheduleRow";
import { Strip } from "./Strip";

type ScheduleTableProps = {
  readonly activeRuns: ReadonlyMap<string, Run>;
  readonly chosen: ReadonlySet<string>;
  /** How many schedules each group has; null where they do not stand by group. */
  readonly groupSizes: Readonly<Record<string, number>> | null;
  readonly onChoose: (ids: readonly string[], chosen: boolean) => void;
  readonly onEdit: (id: string) => void;
  readonly onGroup: (group: string) => void;
  readonly onOpen: (id: string) => void;
  readonly onSort: (sort: string) => void;
  readonly schedules: ScheduleSummary[];
  readonly sort: string;
};

export const ScheduleTable = ({
  activeRuns,
  chosen,
  groupSizes,
  onChoose,
  onEdit,
  onGroup,
  onOpen,
  onSort,
  schedules,
  sort,
}: ScheduleTableProps) => {
  const { hidden } = useColumns();
  const [density] = useDensity();
  const columns = COLUMNS.filter(({ key }) => !hidden.has(key));
  const { data: days } = useDays(schedules.map(({ id }) => id));
  const open = schedules.filter(mayChoose).map(({ id }) => id);
  const count = open.filter((id) => chosen.has(id)).length;

  return (
    <Box overflowX="auto" tabIndex={0}>
      <Table.Root
        aria-label="Backup schedules"
        display={{ mdDown: "block" }}
        interactive
        minW={{ md: "6xl" }}
        role="table"
        size="sm"
      >
        <Table.Header hideBelow="md" role="rowgroup">
          <Table.Row bg="transparent" role="row">
            {open.length === 0 ? undefined : (
              <Table.ColumnHeader pe="0" width="9">
                <Tick
                  checked={count === 0 ? false : count === open.length ? true : "indeterminate"}
                  label="Choose all schedules"
                  onChange={(checked) => onChoose(open, checked)}
                />
              </Table.ColumnHeader>
            )}
            <Unseen label="Enabled" width="14" />
            <Header label="Schedule" onSort={onSort} sort={sort} sortKey="id" />
            {columns.map(({ key, label, sort: sortKey }) => (
              <Header key={key} label={label} onSort={onSort} sort={sort} sortKey={sortKey} />
            ))}
            <Unseen label="Actions" width="20" />
          </Table.Row>
        </Table.Header>
        <Table.Body display={{ mdDown: "block" }} role="rowgroup">
          {schedules.map((schedule, place) => (
            <Fragment key={schedule.id}>
              {groupSizes !== null && (place === 0 || schedules[place - 1]?.group !== schedule.group) ? (
                <GroupRow
                  group={schedule.group}
                  mayAct={schedules.some((each) => each.group === schedule.group && mayChoose(each))}
                  onOnly={onGroup}
                  size={groupSizes[schedule.group ?? ""] ?? 0}
                  span={columns.length + (open.length === 0 ? 3 : 4)}
                />
              ) : undefined}
              <ScheduleRow
                activeRun={activeRuns.get(schedule.id) ?? null}
                hidden={hidden}
                isCompact={density === "compact"}
                onEdit={onEdit}
                onOpen={onOpen}
                schedule={schedule}
                // Today is not over: of a schedule that runs every hour it would look like a fall.
                sizes={days?.stored[schedule.id]?.slice(0, -1) ?? []}
                strip={<Strip days={days?.days ?? []} id={schedule.id} statuses={days?.schedules[schedule.id]} />}
                tick={
                  open.length === 0 ? undefined : (
                    <Table.Cell {...CARD_CELL} pe="0">
                      {mayChoose(schedule) ? (
                        <Tick
                          checked={chosen.has(schedule.id)}
                          label={`Choose ${schedule.id}`}
                          onChange={(checked) => onChoose([schedule.id], checked)}
                        />
                      ) : undefined}
                    </Table.Cell>
                  )
                }
              />
            </Fragment>
          ))}
        </Table.Body>
      </Table.Root>
    </Box>
  );
};

/** Whether anything can be done to it. */
export const mayChoose = ({ enabled, permissions }: ScheduleSummary): boolean =>
  enabled !== null && (permissions.toggle || permissions.run);

type TickProps = {
  readonly checked: boolean | "indeterminate";
  readonly label: string;
  readonly onChange: (checked: boolean) => void;
};

const Tick = ({ checked, label, onChange }: TickProps) => (
  <Checkbox.Root
    aria-label={label}
    checked={checked}
    display="flex"
    onCheckedChange={(change) => onChange(change.checked === true)}
    size="sm"
    variant="outline"
  >
    <Checkbox.HiddenInput aria-label={label} />
    <Checkbox.Control />
  </Checkbox.Root>
);

/** A column that speaks for itself to those who see it. */
const Unseen = ({ label, width }: { readonly label: string; readonly width: string }) => (
  <Table.ColumnHeader width={width}>
    <VisuallyHidden>{label}</VisuallyHidden>
  </Table.ColumnHeader>
);

type HeaderProps = {
  readonly label: string;
  readonly onSort: (sort: string) => void;
  readonly sort: string;
  readonly sortKey: string | null;
};

const Header = ({ label, onSort, sort, sortKey }: HeaderProps) => {
  if (sortKey === null) {
    return (
      <Table.ColumnHeader color="fg.muted" fontWeight="medium">
        {label}
      </Table.ColumnHeader>
    );
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
