import { Field, NativeSelect, Text, Textarea } from "@chakra-ui/react";
import { useState } from "react";

import { useRunNow } from "../api/changes";
import type { Kind, ScheduleSummary } from "../api/types";
import { sentence } from "../format";
import { Confirm } from "../shared/Confirm";
import { tell, tellError } from "../shared/toaster";

/** What a schedule can take, the usual first. */
export const kindsOf = ({ rhythms }: ScheduleSummary): Kind[] => [...new Set(rhythms.map(({ kind }) => kind))];

type RunDialogProps = { readonly onClose: () => void; readonly schedule: ScheduleSummary };

/** Run now, of a kind that is chosen and with a note for those who read the history. */
export const RunDialog = ({ onClose, schedule }: RunDialogProps) => {
  const { isPending, mutate } = useRunNow(schedule.id);
  const kinds = kindsOf(schedule);
  const [kind, setKind] = useState<string>("");
  const [note, setNote] = useState("");

  return (
    <Confirm
      action="Run now"
      isBusy={isPending}
      isReady
      onClose={onClose}
      onConfirm={() =>
        mutate(
          { kind: kind === "" ? null : kind, note: note.trim() === "" ? null : note.trim() },
          {
            onError: (error) => tellError(`${schedule.id} was not started`, error),
            onSuccess: () => {
              tell(`${schedule.id} is on its way`);
              onClose();
            },
          },
        )
      }
      title={`Run ${schedule.id} now`}
    >
      {kinds.length > 1 ? (
        <Field.Root>
          <Field.Label fontSize="sm">Kind</Field.Label>
          <NativeSelect.Root size="sm">
            <NativeSelect.Field onChange={(event) => setKind(event.target.value)} value={kind}>
              <option value="">What the schedule takes</option>
              {kinds.map((each) => (
                <option key={each} value={each}>
                  {sentence(each.replace("_", " "))}
                </option>
              ))}
            </NativeSelect.Field>
            <NativeSelect.Indicator />
          </NativeSelect.Root>
        </Field.Root>
      ) : (
        <Text color="fg.muted" fontSize="sm">
          It runs at once: windows and calendars do not hold what a person starts.
        </Text>
      )}
      <Field.Root>
        <Field.Label fontSize="sm">Note</Field.Label>
        <Textarea
          maxLength={1000}
          onChange={(event) => setNote(event.target.value)}
          placeholder="Before the upgrade; it stays in the history"
          rows={2}
          size="sm"
          value={note}
        />
      </Field.Root>
    </Confirm>
  );
};
