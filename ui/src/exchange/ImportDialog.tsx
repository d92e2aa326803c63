import { Badge, Field, Flex, Input, Stack, Text, Textarea } from "@chakra-ui/react";
import { useState } from "react";

import { useImport, useImportCheck } from "../api/changes";
import type { ImportConflict, ImportedSchedule, ImportResults } from "../api/types";
import { Concerns } from "../editor/Preview";
import { Choice } from "../editor/fields";
import { formatCount, sentence } from "../format";
import { Confirm } from "../shared/Confirm";
import { tell, tellError } from "../shared/toaster";

const CONFLICTS: readonly (readonly [ImportConflict, string])[] = [
  ["fail", "Import nothing"],
  ["skip", "Leave it as it is"],
  ["replace", "Change it to what the file says"],
];

/** The server takes no longer ones. */
const LONGEST = 200_000;
const SHOWN = 50;

const OUTCOMES: Record<ImportedSchedule["outcome"], { label: string; palette: string }> = {
  created: { label: "new", palette: "success" },
  refused: { label: "refused", palette: "failed" },
  replaced: { label: "changed", palette: "brand" },
  skipped: { label: "left", palette: "gray" },
  unchanged: { label: "the same", palette: "gray" },
};

type Checked = { readonly conflict: ImportConflict; readonly results: ImportResults; readonly text: string };

/** Schedules from a file: paste or choose it, see what becomes of each, then import all of it or nothing. */
export const ImportDialog = ({ onClose }: { readonly onClose: () => void }) => {
  const [text, setText] = useState("");
  const [conflict, setConflict] = useState<ImportConflict>("fail");
  const [checked, setChecked] = useState<Checked | null>(null);
  const check = useImportCheck();
  const save = useImport();
  // What the server said of exactly this; whatever is changed is looked at once more before it is imported.
  const current = checked?.text === text && checked.conflict === conflict ? checked.results : null;
  const count = current === null ? 0 : current.counts.created + current.counts.replaced;
  const isTooLong = text.length > LONGEST;
  const body = { on_conflict: conflict, yaml: text };

  const look = (): void =>
    check.mutate(body, {
      onError: (error) => tellError("The file could not be checked", error),
      onSuccess: (results) => setChecked({ conflict, results, text }),
    });
  const bring = (): void =>
    save.mutate(body, {
      onError: (error) => {
        setChecked(null);
        tellError("Nothing was imported", error);
      },
      onSuccess: ({ counts }) => {
        tell(
          `${formatCount(counts.created + counts.replaced, "schedule")} imported`,
          "They are in force within seconds.",
        );
        onClose();
      },
    });

  return (
    <Confirm
      action={current === null ? "Check" : `Import ${formatCount(count, "schedule")}`}
      isBusy={check.isPending || save.isPending}
      isReady={text.trim() !== "" && !isTooLong && (current === null || (current.possible && count > 0))}
      onClose={onClose}
      onConfirm={current === null ? look : bring}
      size="lg"
      title="Import schedules"
    >
      <Text color="fg.muted" fontSize="sm">
        A schedules file, as Export writes it. All of it is imported, or nothing.
      </Text>
      <Field.Root>
        <Field.Label fontSize="sm">File</Field.Label>
        <Input
          accept=".yaml,.yml,application/yaml"
          onChange={({ target }) =>
            void target.files?.[0]
              ?.text()
              .then(setText, (error: unknown) => tellError("The file could not be read", error))
          }
          pt="1"
          size="sm"
          type="file"
        />
      </Field.Root>
      <Field.Root invalid={isTooLong}>
        <Field.Label fontSize="sm">or its text</Field.Label>
        <Textarea
          autoComplete="off"
          fontFamily="mono"
          fontSize="xs"
          onChange={(event) => setText(event.target.value)}
          placeholder={"version: 1\nschedules:\n  - id: …"}
          rows={8}
          spellCheck={false}
          value={text}
        />
        <Field.ErrorText fontSize="xs">
          It is longer than {LONGEST.toLocaleString("en")} characters: split it.
        </Field.ErrorText>
      </Field.Root>
      <Choice
        label="When a schedule is here already, and says something else"
        name="on_conflict"
        onChange={(chosen) => setConflict(chosen as ImportConflict)}
        options={CONFLICTS}
        value={conflict}
      />
      <Results results={current} />
    </Confirm>
  );
};

const told = ({ counts, possible }: ImportResults): string => {
  if (!possible) {
    return "Nothing can be imported yet:";
  }
  const parts = (["created", "replaced", "skipped", "unchanged"] as const)
    .filter((outcome) => counts[outcome] > 0)
    .map((outcome) => `${counts[outcome]} ${OUTCOMES[outcome].label}`);

  return parts.length === 0 ? "The file has no schedules." : `${sentence(parts.join(", "))}.`;
};

/** What becomes of each schedule; those that keep the file from being imported come first. */
const Results = ({ results }: { readonly results: ImportResults | null }) => {
  const sorted = [...(results?.schedules ?? [])].sort(
    (one, other) => Number(other.outcome === "refused") - Number(one.outcome === "refused"),
  );

  return (
    <Stack aria-label="What becomes of each schedule" aria-live="polite" gap="2" role="region">
      {results === null ? undefined : (
        <>
          <Text fontSize="sm" fontWeight="semibold">
            {told(results)}
          </Text>
          <Concerns problems={results.problems} validation={undefined} />
          <Stack as="ul" gap="2" listStyleType="none" maxH="64" overflowY="auto" tabIndex={0}>
            {sorted.slice(0, SHOWN).map((schedule) => (
              <Item key={`${schedule.line}:${schedule.schedule_id ?? ""}`} schedule={schedule} />
            ))}
          </Stack>
          {sorted.length <= SHOWN ? undefined : (
            <Text color="fg.muted" fontSize="xs">
              and {sorted.length - SHOWN} more
            </Text>
          )}
        </>
      )}
    </Stack>
  );
};

const Item = ({ schedule }: { readonly schedule: ImportedSchedule }) => {
  const { label, palette } = OUTCOMES[schedule.outcome];
  const changes = schedule.changes.map(({ key }) => key).join(", ");
  // Where it says what is wrong, nothing has to say that something is.
  const why = [schedule.problems.length > 0 ? null : schedule.detail, schedule.hint, changes === "" ? null : changes];

  return (
    <Stack as="li" gap="1">
      <Flex align="baseline" gap="2" wrap="wrap">
        <Badge colorPalette={palette} size="sm" variant="subtle">
          {label}
        </Badge>
        <Text fontSize="sm" fontWeight="medium">
          {schedule.schedule_id ?? "without an id"}
        </Text>
        <Text color="fg.muted" fontSize="xs">
          line {schedule.line}
        </Text>
        <Text color="fg.muted" fontSize="sm">
          {why.filter(Boolean).join(" – ")}
        </Text>
      </Flex>
      <Concerns problems={schedule.problems} validation={undefined} />
    </Stack>
  );
};
