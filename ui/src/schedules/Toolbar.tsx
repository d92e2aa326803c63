import { Badge, Button, Flex, IconButton, Menu, Portal, Text } from "@chakra-ui/react";
import { useCallback } from "react";

import { exportUrl } from "../exchange/address";
import { formatCount, sentence } from "../format";
import { Choice, named } from "../shared/Choice";
import { Hint } from "../shared/Hint";
import { Dots, Plus, Upload } from "../shared/icons";
import { SearchField } from "../shared/SearchField";
import { isNarrowed, type ListChoice, STATES } from "./choice";
import { ViewMenu } from "./ViewMenu";

/** What there is to choose from. */
export type Facets = {
  readonly engines: readonly string[];
  readonly groups: readonly string[];
  readonly tags: readonly string[];
};

type ToolbarProps = {
  readonly byGroup: boolean;
  readonly choice: ListChoice;
  readonly facets: Facets;
  readonly onChange: (change: Partial<ListChoice> & { by?: string }) => void;
  /** Begins an import; null for those who may not. */
  readonly onImport: (() => void) | null;
  /** Begins a maintenance; null for those who may not, and while there is one. */
  readonly onMaintain: (() => void) | null;
  /** Begins a new schedule; null for those who may not. */
  readonly onNew: (() => void) | null;
  /** Why nothing here can be changed, for those who may only look. */
  readonly readOnly: string | null;
  readonly total: number | undefined;
};

export const Toolbar = (props: ToolbarProps) => {
  const { byGroup, choice, facets, onChange, onImport, onNew, readOnly, total } = props;
  const search = useCallback((text: string) => onChange({ q: text }), [onChange]);

  return (
    <Flex align="center" borderBottomWidth="1px" gap="3" p="3" wrap="wrap">
      <SearchField label="Search schedules" onSearch={search} q={choice.q} />
      <Choice
        all="All states"
        label="State"
        onChange={(state) => onChange({ state: state as ListChoice["state"] })}
        value={choice.state}
        words={STATES.filter(([state]) => state !== "")}
      />
      <Narrowings choice={choice} facets={facets} onChange={onChange} />
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
        <ViewMenu
          byGroup={facets.groups.length > 0 ? byGroup : null}
          onGroup={(isGrouped) => onChange({ by: isGrouped ? "group" : "" })}
        />
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
        <MoreMenu {...props} />
      </Flex>
    </Flex>
  );
};

type NarrowingsProps<Narrowed> = {
  readonly choice: Narrowed;
  readonly facets: Facets;
  readonly onChange: (change: Partial<Narrowed>) => void;
};

/** Groups, tags and engines to narrow a list to; each where there is something to choose. */
const Narrowings = ({ choice, facets, onChange }: NarrowingsProps<ListChoice>) => (
  <>
    {facets.groups.length > 0 || choice.group !== "" ? (
      <Choice
        all="All groups"
        label="Group"
        onChange={(group) => onChange({ group })}
        value={choice.group}
        words={named(facets.groups)}
      />
    ) : undefined}
    {facets.tags.length > 0 || choice.tag !== "" ? (
      <Choice
        all="All tags"
        label="Tag"
        onChange={(tag) => onChange({ tag })}
        value={choice.tag}
        words={named(facets.tags)}
      />
    ) : undefined}
    {facets.engines.length > 1 || choice.source !== "" ? (
      <Choice
        all="All engines"
        label="Engine"
        onChange={(source) => onChange({ source })}
        value={choice.source}
        words={named(facets.engines)}
      />
    ) : undefined}
  </>
);

const MoreMenu = ({ choice, onMaintain, total }: Pick<ToolbarProps, "choice" | "onMaintain" | "total">) =>
  onMaintain === null && (total ?? 0) === 0 ? undefined : (
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
              <a download="schedules.yaml" href={exportUrl(choice)}>
                {isNarrowed(choice) ? `Export these ${formatCount(total ?? 0, "schedule")}` : "Export all"}
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
  );
