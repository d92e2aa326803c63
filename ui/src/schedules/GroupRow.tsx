import { Flex, IconButton, Menu, Portal, Table, Text } from "@chakra-ui/react";

import type { BulkAction } from "../api/changes";
import { formatCount } from "../format";
import { Dots } from "../shared/icons";
import { CALM, CLEAR } from "../shared/manners";
import { wholeGroup } from "./target";
import { useBulkVerb, VERBS } from "./useBulkVerb";

type GroupRowProps = {
  /** Null for those that have none. */
  readonly group: string | null;
  readonly mayAct: boolean;
  readonly onOnly: (group: string) => void;
  /** How many schedules it has, whatever the filters. */
  readonly size: number;
  readonly span: number;
};

const ACTIONS: readonly BulkAction[] = ["enable", "disable", "run", "pause"];
const ONLY = "only";

/** The head of the schedules of one group, with what can be done to all of it. */
export const GroupRow = ({ group, mayAct, onOnly, size, span }: GroupRowProps) => (
  <Table.Row bg="bg.subtle" display={{ mdDown: "block" }} role="row">
    <Table.Cell colSpan={span} display={{ mdDown: "block" }} px="3" py="1.5" role="cell">
      <Flex align="center" gap="2">
        <Text fontSize="sm" fontWeight="semibold">
          {group ?? "Without a group"}
        </Text>
        {group === null ? undefined : (
          <>
            <Text color="fg.muted" fontSize="xs">
              {formatCount(size, "schedule")}
            </Text>
            <GroupMenu group={group} mayAct={mayAct} onOnly={onOnly} size={size} />
          </>
        )}
      </Flex>
    </Table.Cell>
  </Table.Row>
);

type GroupMenuProps = Pick<GroupRowProps, "mayAct" | "onOnly" | "size"> & { readonly group: string };

const GroupMenu = ({ group, mayAct, onOnly, size }: GroupMenuProps) => {
  const { begin, dialog, isPending } = useBulkVerb(() => undefined);

  return (
    <>
      <Menu.Root
        lazyMount
        onSelect={({ value }) =>
          value === ONLY ? onOnly(group) : begin(value as BulkAction, wholeGroup(group, size))
        }
        unmountOnExit
      >
        <Menu.Trigger asChild>
          <IconButton aria-label={`For the group ${group}`} loading={isPending} size="2xs" variant="ghost">
            <Dots />
          </IconButton>
        </Menu.Trigger>
        <Portal>
          <Menu.Positioner>
            <Menu.Content {...CALM} {...CLEAR} minW="44">
              {mayAct
                ? ACTIONS.map((action) => (
                    <Menu.Item key={action} value={action}>
                      {VERBS[action].label} all{action === "pause" ? " until" : ""}…
                    </Menu.Item>
                  ))
                : undefined}
              <Menu.Item value={ONLY}>Show this group only</Menu.Item>
            </Menu.Content>
          </Menu.Positioner>
        </Portal>
      </Menu.Root>
      {dialog}
    </>
  );
};
