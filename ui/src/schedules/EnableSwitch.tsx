import { Box, Switch } from "@chakra-ui/react";

import { useToggle } from "../api/changes";
import type { ScheduleSummary } from "../api/types";
import { sentence } from "../format";
import { whyNotToggle } from "../words";
import { Hint } from "../shared/Hint";
import { tellError } from "../shared/toaster";

export const EnableSwitch = ({ schedule }: { readonly schedule: ScheduleSummary }) => {
  const { isPending, mutate, variables } = useToggle(schedule.id);
  const why = whyNotToggle(schedule);
  const checked = isPending ? variables : schedule.enabled === true;

  return (
    <Hint text={why === null ? (checked ? "Enabled" : "Disabled") : sentence(why)}>
      <Box display="flex" width="fit-content">
        <Switch.Root
          aria-label={`${schedule.id} is enabled`}
          checked={checked}
          colorPalette="success"
          disabled={why !== null}
          onCheckedChange={(change) =>
            mutate(change.checked, {
              onError: (error) => tellError(`${schedule.id} was not switched`, error),
            })
          }
          size="sm"
        >
          <Switch.HiddenInput aria-label={`${schedule.id} is enabled`} />
          <Switch.Control>
            <Switch.Thumb />
          </Switch.Control>
        </Switch.Root>
      </Box>
    </Hint>
  );
};
