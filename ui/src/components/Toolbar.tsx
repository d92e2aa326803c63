import { Badge, Button, Flex, IconButton, Input, InputGroup, Menu, NativeSelect, Portal, Text } from "@chakra-ui/react";
import { useEffect, useState } from "react";

import type { ListState } from "../api/types";
import { formatCount, sentence } from "../format";
import { PROTECTION } from "../words";
import { Hint } from "./Hint";
import { Dots, Plus, Search } from "./icons";

const STATES: readonly (readonly [ListState, string])[] = [
  ["", "All states"],
  ["attention", "Needs attention"],
  ["running", "Running"],
  ["good", PROTECTION.good.label],
  ["late", PROTECTION.late.label],
  ["at_risk", PROTECTION.at_risk.label],
  ["lost", PROTECTION.lost.label],
  ["broken", PROTECTION.broken.label],
  ["never", PROTECTION.never.label],
  ["disabled", "Disabled"],
];

/** What an address says; one of another release, or typed by hand, narrows nothing. */
export const listState = (text: string | null): ListState => STATES.find(([state]) => state === text)?.[0] ?? "";

type ToolbarProps = {
  readonly onChange: (change: { q?: string; state?: string }) => void;
  /** Begins a new schedule; null for those who may not. */
  readonly onNew: (() => void) | null;
  /** Begins a maintenance; null for those who may not, and while there is one. */
  readonly onMaintain: (() => void) | null;
  readonly q: string;
  /** Why nothing here can be changed, for those who may only look. */
  readonly readOnly: string | null;
  readonly state: string;
  readonly total: number | undefined;
};

export const Toolbar = ({ onChange, onMaintain, onNew, q, readOnly, state, total }: ToolbarProps) => {
  const [text, setText] = useState(q);

  useEffect(() => {
    if (text === q) {
      return undefined;
    }
    const timer = setTimeout(() => onChange({ q: text }), 250);

    return () => clearTimeout(timer);
  }, [onChange, q, text]);

  return (
    <Flex align="center" borderBottomWidth="1px" gap="3" p="3" wrap="wrap">
      <InputGroup flex="1" maxW="sm" minW="48" startElement={<Search />}>
        <Input
          aria-label="Search schedules"
          onChange={(event) => setText(event.target.value)}
          placeholder="Search by name, tag, group, source"
          size="sm"
          type="search"
          value={text}
        />
      </InputGroup>
      <NativeSelect.Root size="sm" width="auto">
        <NativeSelect.Field aria-label="State" onChange={(event) => onChange({ state: event.target.value })} value={state}>
          {STATES.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </NativeSelect.Field>
        <NativeSelect.Indicator />
      </NativeSelect.Root>
      <Flex align="center" gap="3" ms="auto">
        {readOnly === null ? undefined : (
          <Hint text={sentence(readOnly)}>
            <Badge colorPalette="none" size="sm" variant="outline">
              Read-only
            </Badge>
          </Hint>
        )}
        {total === undefined ? undefined : (
          <Text color="fg.muted" fontSize="xs">
            {formatCount(total, "schedule")}
          </Text>
        )}
        {onNew === null ? undefined : (
          <Button colorPalette="brand" onClick={onNew} size="sm">
            <Plus /> New schedule
          </Button>
        )}
        {onMaintain === null ? undefined : (
          <Menu.Root lazyMount onSelect={onMaintain} positioning={{ placement: "bottom-end" }} unmountOnExit>
            <Menu.Trigger asChild>
              <IconButton aria-label="More for all schedules" size="sm" variant="outline">
                <Dots />
              </IconButton>
            </Menu.Trigger>
            <Portal>
              <Menu.Positioner>
                <Menu.Content>
                  <Menu.Item value="maintenance">Begin maintenance…</Menu.Item>
                </Menu.Content>
              </Menu.Positioner>
            </Portal>
          </Menu.Root>
        )}
      </Flex>
    </Flex>
  );
};
