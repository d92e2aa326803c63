import { Box, Button, IconButton, Menu, Portal } from "@chakra-ui/react";

import { useState } from "react";

import { useRunNow } from "../api/changes";
import type { ScheduleSummary } from "../api/types";
import { sentence } from "../format";
import { whyNotRun } from "../words";
import { Hint } from "../shared/Hint";
import { Chevron, Play } from "../shared/icons";
import { tell, tellError } from "../shared/toaster";
import { kindsOf, RunDialog } from "./RunDialog";

const ASK = "ask";

type RunNowProps = { readonly isActive: boolean; readonly schedule: ScheduleSummary };

const useStart = (schedule: ScheduleSummary) => {
  const { isPending, mutate } = useRunNow(schedule.id);
  const start = (kind: string | null): void =>
    mutate(
      { kind },
      {
        onError: (error) => tellError(`${schedule.id} was not started`, error),
        onSuccess: () => tell(`${schedule.id} is on its way`),
      },
    );

  return { isPending, start };
};

export const RunNowIcon = ({ isActive, schedule }: RunNowProps) => {
  const { isPending, start } = useStart(schedule);
  const why = whyNotRun(schedule, isActive);

  return (
    <Hint text={why === null ? "Run now" : sentence(why)}>
      <Box display="inline-flex">
        <IconButton
          aria-label={`Run ${schedule.id} now`}
          disabled={why !== null}
          loading={isPending}
          onClick={() => start(null)}
          size="xs"
          variant="ghost"
        >
          <Play />
        </IconButton>
      </Box>
    </Hint>
  );
};

/** The large one; beside it a kind can be chosen, and a note written. */
export const RunNowButton = ({ isActive, schedule }: RunNowProps) => {
  const { isPending, start } = useStart(schedule);
  const why = whyNotRun(schedule, isActive);
  const kinds = kindsOf(schedule);
  const [isAsking, setAsking] = useState(false);

  return (
    <Box display="inline-flex" gap="1px">
      <Hint text={why === null ? null : sentence(why)}>
        <Box display="inline-flex">
          <Button
            colorPalette="brand"
            disabled={why !== null}
            loading={isPending}
            onClick={() => start(null)}
            roundedEnd="none"
            size="sm"
          >
            <Play /> Run now
          </Button>
        </Box>
      </Hint>
      <Menu.Root onSelect={({ value }) => (value === ASK ? setAsking(true) : start(value))}>
        <Menu.Trigger asChild>
          <IconButton
            aria-label="Choose what to take"
            colorPalette="brand"
            disabled={why !== null}
            roundedStart="none"
            size="sm"
          >
            <Chevron />
          </IconButton>
        </Menu.Trigger>
        <Portal>
          <Menu.Positioner>
            <Menu.Content>
              {kinds.length > 1
                ? kinds.map((kind) => (
                    <Menu.Item key={kind} value={kind}>
                      {sentence(kind.replace("_", " "))}
                    </Menu.Item>
                  ))
                : undefined}
              <Menu.Item value={ASK}>With a note…</Menu.Item>
            </Menu.Content>
          </Menu.Positioner>
        </Portal>
      </Menu.Root>
      {isAsking ? <RunDialog onClose={() => setAsking(false)} schedule={schedule} /> : undefined}
    </Box>
  );
};
