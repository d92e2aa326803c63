import { Button, Popover, Portal, Text } from "@chakra-ui/react";

import { useCancel } from "../api/queries";
import type { Run } from "../api/types";
import { Stop } from "./icons";
import { tell, tellError } from "./toaster";

/** Asks once, in place: what was read so far is lost. */
export const CancelRun = ({ run }: { readonly run: Run }) => {
  const { isPending, mutate } = useCancel();
  const stop = (): void =>
    mutate(
      { dagId: run.dag_id, runId: run.run_id },
      {
        onError: (error) => tellError(`${run.schedule_id} was not cancelled`, error),
        onSuccess: () => tell(`${run.schedule_id} is being stopped`, "It leaves no set."),
      },
    );

  return (
    <Popover.Root positioning={{ placement: "bottom-end" }}>
      <Popover.Trigger asChild>
        <Button aria-label={`Cancel the run of ${run.schedule_id}`} loading={isPending} size="xs" variant="outline">
          <Stop /> Cancel
        </Button>
      </Popover.Trigger>
      <Portal>
        <Popover.Positioner>
          <Popover.Content width="auto">
            <Popover.Arrow />
            <Popover.Body display="flex" flexDirection="column" gap="3">
              <Text fontSize="sm">Stop this run? What it has read so far is lost; earlier sets stay.</Text>
              <Button alignSelf="flex-end" colorPalette="danger" onClick={stop} size="xs">
                Stop it
              </Button>
            </Popover.Body>
          </Popover.Content>
        </Popover.Positioner>
      </Portal>
    </Popover.Root>
  );
};
