import { IconButton } from "@chakra-ui/react";

import { useControl } from "../api/queries";
import type { Run } from "../api/types";
import { Hold, Play } from "./icons";
import { tell, tellError } from "./toaster";

/** Lets a running backup wait where it is, or go on. */
export const ControlRun = ({ run }: { readonly run: Run }) => {
  const { isPending, mutate } = useControl();
  const pause = run.status !== "paused";

  if (run.status !== "running" && run.status !== "paused") {
    return undefined;
  }

  return (
    <IconButton
      aria-label={`${pause ? "Pause" : "Resume"} the run of ${run.schedule_id}`}
      loading={isPending}
      onClick={() =>
        mutate(
          { dagId: run.dag_id, pause, runId: run.run_id },
          {
            onError: (error) => tellError(`${run.schedule_id} was not ${pause ? "paused" : "resumed"}`, error),
            onSuccess: () => tell(`${run.schedule_id} ${pause ? "waits" : "goes on"}`),
          },
        )
      }
      size="xs"
      title={pause ? "Pause" : "Resume"}
      variant="outline"
    >
      {pause ? <Hold /> : <Play />}
    </IconButton>
  );
};
