import { Button, Input, Popover, Portal, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useCancel } from "../api/changes";
import type { Run } from "../api/types";
import { Stop } from "../shared/icons";
import { CALM, CLEAR } from "../shared/manners";
import { tell, tellError } from "../shared/toaster";

/** Asks once, in place: what was read so far is lost. */
export const CancelRun = ({ run }: { readonly run: Run }) => {
  const { isPending, mutate } = useCancel();
  const [reason, setReason] = useState("");
  const stop = (): void =>
    mutate(
      { dagId: run.dag_id, reason: reason.trim() === "" ? null : reason.trim(), runId: run.run_id },
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
          <Popover.Content
            {...CALM}
            {...CLEAR}
            aria-label={`Cancel the run of ${run.schedule_id}`}
            width="min(26rem, calc(100vw - 2rem))"
          >
            <Popover.Arrow />
            <Popover.Body display="flex" flexDirection="column" gap="3">
              <Text fontSize="sm">Stop this run? What it has read so far is lost; earlier sets stay.</Text>
              <Input
                aria-label="Reason"
                maxLength={500}
                onChange={(event) => setReason(event.target.value)}
                placeholder="Why? It stays in the history"
                size="xs"
                value={reason}
              />
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
