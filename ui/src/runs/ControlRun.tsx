import { Button, IconButton } from "@chakra-ui/react";

import { useControl, useControlAll } from "../api/changes";
import type { Run } from "../api/types";
import { formatCount } from "../format";
import { Hold, Play } from "../shared/icons";
import { tell, tellError } from "../shared/toaster";

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

/** Lets all that runs wait, or all that waits go on; shown where there is more than one. */
export const ControlAll = ({ runs }: { readonly runs: readonly Run[] }) => {
  const { isPending, mutate } = useControlAll();
  const working = runs.filter(({ status }) => status === "running");
  const waiting = runs.filter(({ status }) => status === "paused");

  if (working.length + waiting.length < 2) {
    return undefined;
  }
  const pause = working.length > 0;

  return (
    <Button
      loading={isPending}
      onClick={() =>
        mutate(pause, {
          onError: (error) => tellError(`Not all was ${pause ? "paused" : "resumed"}`, error),
          onSuccess: ({ done, refused }) =>
            tell(
              formatCount(done, pause ? "backup waits" : "backup goes on", pause ? "backups wait" : "backups go on"),
              refused === 0
                ? undefined
                : `${refused} could not be told: your role does not allow it, or they had ended.`,
            ),
        })
      }
      size="xs"
      variant="outline"
    >
      {pause ? <Hold /> : <Play />} {pause ? "Pause all" : "Resume all"}
    </Button>
  );
};
