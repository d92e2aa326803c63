import { IconButton, Menu, Portal } from "@chakra-ui/react";
import { useState } from "react";

import { useLift, useSkipNext } from "../api/changes";
import type { ScheduleSummary } from "../api/types";
import { RunDialog } from "../runs/RunDialog";
import { CloneDialog, DeleteDialog, PauseDialog } from "../shared/dialogs";
import { Dots } from "../shared/icons";
import { CALM, CLEAR } from "../shared/manners";
import { tell, tellError } from "../shared/toaster";
import { whyNotRun } from "../words";

type RowMenuProps = {
  readonly onEdit: (id: string) => void;
  readonly onGone: () => void;
  readonly schedule: ScheduleSummary;
};

type Asking = "clone" | "delete" | "pause" | "run";

/** What can be done to one schedule besides switching and running it. */
export const RowMenu = ({ onEdit, onGone, schedule }: RowMenuProps) => {
  const { holds, id, made, permissions, state } = schedule;
  const [asking, setAsking] = useState<Asking | null>(null);
  const skip = useSkipNext(id);
  const lift = useLift(id);
  const canHold = permissions.toggle && state !== "rejected";
  const canEdit = permissions.edit && (made !== null || state !== "rejected");

  const canRun = whyNotRun(schedule, schedule.active_run !== null) === null;

  if (!canHold && !canEdit && !canRun) {
    return undefined;
  }
  const act = (value: string): void => {
    if (value === "skip") {
      skip.mutate(undefined, {
        onError: (error) => tellError(`The next run of ${id} is not skipped`, error),
        onSuccess: () => tell(`The next run of ${id} is skipped`),
      });
    } else if (value.startsWith("lift ")) {
      lift.mutate(Number(value.slice(5)), {
        onError: (error) => tellError("The hold was not lifted", error),
        onSuccess: () => tell(`${id} goes on`),
      });
    } else if (value === "edit") {
      onEdit(id);
    } else {
      setAsking(value as Asking);
    }
  };

  return (
    <>
      <Menu.Root lazyMount onSelect={({ value }) => act(value)} positioning={{ placement: "bottom-end" }} unmountOnExit>
        <Menu.Trigger asChild>
          <IconButton
            aria-label={`More for ${id}`}
            loading={skip.isPending || lift.isPending}
            size="xs"
            variant="ghost"
          >
            <Dots />
          </IconButton>
        </Menu.Trigger>
        <Portal>
          <Menu.Positioner>
            <Menu.Content {...CALM} {...CLEAR} minW="44">
              {canRun ? <Menu.Item value="run">Run now with a note…</Menu.Item> : undefined}
              {canHold ? (
                <>
                  {holds.some(({ kind }) => kind === "skip_next") ? undefined : (
                    <Menu.Item value="skip">Skip next run</Menu.Item>
                  )}
                  <Menu.Item value="pause">Pause until…</Menu.Item>
                  {holds.map((hold) => (
                    <Menu.Item key={hold.id} value={`lift ${hold.id}`}>
                      {hold.kind === "skip_next" ? "Do not skip the next run" : "End the pause"}
                    </Menu.Item>
                  ))}
                </>
              ) : undefined}
              {canEdit ? (
                <>
                  {canHold ? <Menu.Separator /> : undefined}
                  {made === null ? undefined : <Menu.Item value="edit">Edit</Menu.Item>}
                  {state === "rejected" ? undefined : <Menu.Item value="clone">Clone</Menu.Item>}
                  {made === null ? undefined : (
                    <Menu.Item color="failed.fg" value="delete">
                      Delete…
                    </Menu.Item>
                  )}
                </>
              ) : undefined}
            </Menu.Content>
          </Menu.Positioner>
        </Portal>
      </Menu.Root>
      {asking === "pause" ? <PauseDialog onClose={() => setAsking(null)} schedule={schedule} /> : undefined}
      {asking === "run" ? <RunDialog onClose={() => setAsking(null)} schedule={schedule} /> : undefined}
      {asking === "clone" ? (
        <CloneDialog onClose={() => setAsking(null)} onMade={onEdit} schedule={schedule} />
      ) : undefined}
      {asking === "delete" ? (
        <DeleteDialog onClose={() => setAsking(null)} onGone={onGone} schedule={schedule} />
      ) : undefined}
    </>
  );
};
