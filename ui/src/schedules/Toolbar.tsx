import { Badge, Button, Flex, IconButton, Menu, NativeSelect, Portal, Text } from "@chakra-ui/react";
import { useCallback } from "react";

import type { ListState } from "../api/types";
import { exportUrl } from "../exchange/address";
import { formatCount, sentence } from "../format";
import { PROTECTION } from "../words";
import { Hint } from "../shared/Hint";
import { Dots, Plus, Upload } from "../shared/icons";
import { SearchField } from "../shared/SearchField";

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
  /** Begins an import; null for those who may not. */
  readonly onImport: (() => void) | null;
  /** Begins a maintenance; null for those who may not, and while there is one. */
  readonly onMaintain: (() => void) | null;
  readonly q: string;
  /** Why nothing here can be changed, for those who may only look. */
  readonly readOnly: string | null;
  readonly state: string;
  readonly total: number | undefined;
};

export const Toolbar = ({ onChange, onImport, onMaintain, onNew, q, readOnly, state, total }: ToolbarProps) => {
  const search = useCallback((text: string) => onChange({ q: text }), [onChange]);

  return (
    <Flex align="center" borderBottomWidth="1px" gap="3" p="3" wrap="wrap">
      <SearchField label="Search schedules" onSearch={search} q={q} />
      <NativeSelect.Root size="sm" width="auto">
        <NativeSelect.Field
          aria-label="State"
          onChange={(event) => onChange({ state: event.target.value })}
          value={state}
        >
          {STATES.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </NativeSelect.Field>
        <NativeSelect.Indicator />
      </NativeSelect.Root>
      <Flex align="center" gap="3" justify="flex-end" ms="auto" wrap="wrap">
        {readOnly === null ? undefined : (
          <Hint text={sentence(readOnly)}>
            <Badge colorPalette="none" size="sm" variant="outline">
              Read-only
            </Badge>
          </Hint>
        )}
        {total === undefined ? undefined : (
          <Text color="fg.muted" fontSize="xs" hideBelow="sm" whiteSpace="nowrap">
            {formatCount(total, "schedule")}
          </Text>
        )}
        {onImport === null ? undefined : (
          <Button onClick={onImport} size="sm" variant="outline">
            <Upload /> Import
          </Button>
        )}
        {onNew === null ? undefined : (
          <Button colorPalette="brand" onClick={onNew} size="sm">
            <Plus /> New schedule
          </Button>
        )}
        {onMaintain === null && (total ?? 0) === 0 ? undefined : (
          <Menu.Root
            lazyMount
            onSelect={({ value }) => {
              if (value === "maintenance") {
                onMaintain?.();
              }
            }}
            positioning={{ placement: "bottom-end" }}
            unmountOnExit
          >
            <Menu.Trigger asChild>
              <IconButton aria-label="More for all schedules" size="sm" variant="outline">
                <Dots />
              </IconButton>
            </Menu.Trigger>
            <Portal>
              <Menu.Positioner>
                <Menu.Content>
                  <Menu.Item asChild value="export">
                    <a download="schedules.yaml" href={exportUrl({ q, state })}>
                      {q === "" && state === "" ? "Export all" : `Export these ${formatCount(total ?? 0, "schedule")}`}
                    </a>
                  </Menu.Item>
                  <Menu.Item asChild value="export-made">
                    <a download="schedules.yaml" href={exportUrl({ made: true })}>
                      Export what was made here
                    </a>
                  </Menu.Item>
                  {onMaintain === null ? undefined : <Menu.Item value="maintenance">Begin maintenance…</Menu.Item>}
                </Menu.Content>
              </Menu.Positioner>
            </Portal>
          </Menu.Root>
        )}
      </Flex>
    </Flex>
  );
};
