import { IconButton, Menu, Portal } from "@chakra-ui/react";

import { Sliders } from "../shared/icons";
import { CALM, CLEAR } from "../shared/manners";
import { COLUMNS, useColumns, useDensity } from "./columns";

type ViewMenuProps = {
  /** Null where there are no groups. */
  readonly byGroup: boolean | null;
  readonly onGroup: (byGroup: boolean) => void;
};

/** How the list looks: by group, which columns, how much room. Columns and room are kept in this browser. */
export const ViewMenu = ({ byGroup, onGroup }: ViewMenuProps) => {
  const { hidden, show } = useColumns();
  const [density, setDensity] = useDensity();

  return (
    <Menu.Root closeOnSelect={false} lazyMount positioning={{ placement: "bottom-end" }} unmountOnExit>
      <Menu.Trigger asChild>
        <IconButton aria-label="How the list looks" size="sm" variant="outline">
          <Sliders />
        </IconButton>
      </Menu.Trigger>
      <Portal>
        <Menu.Positioner>
          <Menu.Content {...CALM} {...CLEAR} minW="44">
            {byGroup === null ? undefined : (
              <>
                <Tickable checked={byGroup} label="By group" onChange={onGroup} value="by group" />
                <Menu.Separator />
              </>
            )}
            <Tickable
              checked={density === "compact"}
              label="Compact"
              onChange={(isCompact) => setDensity(isCompact ? "compact" : "comfortable")}
              value="compact"
            />
            <Menu.Separator />
            <Menu.ItemGroup>
              <Menu.ItemGroupLabel>Columns</Menu.ItemGroupLabel>
              {COLUMNS.map(({ key, label }) => (
                <Tickable
                  checked={!hidden.has(key)}
                  key={key}
                  label={label}
                  onChange={(isShown) => show(key, isShown)}
                  value={key}
                />
              ))}
            </Menu.ItemGroup>
          </Menu.Content>
        </Menu.Positioner>
      </Portal>
    </Menu.Root>
  );
};

type TickableProps = {
  readonly checked: boolean;
  readonly label: string;
  readonly onChange: (checked: boolean) => void;
  readonly value: string;
};

const Tickable = ({ checked, label, onChange, value }: TickableProps) => (
  <Menu.CheckboxItem checked={checked} onCheckedChange={onChange} value={value}>
    {label}
    <Menu.ItemIndicator />
  </Menu.CheckboxItem>
);
