import { Button, Drawer, Stack, Tabs, Text, Textarea } from "@chakra-ui/react";
import { useEffect, useMemo, useState } from "react";

import { useSave } from "../api/changes";
import { useValidation } from "../api/queries";
import type { EngineInfo } from "../api/types";
import { tell, tellError } from "../shared/toaster";
import { formatCount } from "../format";
import { toYaml } from "../yaml";
import { DryRun } from "./DryRun";
import { BLANK, definitionOf, type Form, formOf } from "./form";
import { FormFields } from "./FormFields";
import { sortProblems } from "./places";
import { Concerns, NextRuns } from "./Preview";

const PAUSE = 350;

const useLater = <T,>(value: T): T => {
  const [later, setLater] = useState(value);

  useEffect(() => {
    const timer = setTimeout(() => setLater(value), PAUSE);

    return () => clearTimeout(timer);
  }, [value]);

  return later;
};

/** The fields that a change gives another text. */
const typed = (change: Partial<Form>, form: Form): readonly string[] =>
  Object.entries(change)
    .filter(([name, text]) => text !== (form[name as keyof Form] ?? ""))
    .map(([name]) => name);

type EditorProps = {
  readonly definition: Record<string, unknown> | null;
  readonly engines: readonly EngineInfo[];
  readonly onDone: () => void;
  /** Told whether something is typed that closing would lose. */
  readonly onTyped: (isTyped: boolean) => void;
  /** The version that is changed; null for a new schedule. */
  readonly version: number | null;
};

/** Write a schedule: a form for what most need, YAML for everything; the server checks both as files are checked. */
export const Editor = ({ definition, engines, onDone, onTyped, version: shownVersion }: EditorProps) => {
  // The version that was opened: what somebody else saves meanwhile must not be overwritten unseen.
  const [version] = useState(shownVersion);
  const isNew = version === null;
  const [before, setBefore] = useState(definition ?? BLANK);
  const [form, setForm] = useState<Form>(() => formOf(before, engines));
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const [yaml, setYaml] = useState<string | null>(null);
  // The text that the form was turned into, or read from: while the form says the same, the text stays, comments
  // and all.
  const [kept, setKept] = useState<{ form: Form; text: string } | null>(null);
  const written = useMemo(() => definitionOf(form, before, engines), [before, engines, form]);
  const body = useMemo(() => (yaml === null ? written : { yaml }), [written, yaml]);
  const asked = useLater(body);
  const { data, isFetching, isPlaceholderData } = useValidation(asked);
  // What the server says of exactly what is typed now; nothing else may be saved.
  const current = asked === body && !isPlaceholderData && !isFetching ? data : undefined;
  const checked = current?.valid === true ? current.definition : null;
  const { isPending, mutate } = useSave();
  const { elsewhere, fields } = sortProblems(yaml === null ? (data?.problems ?? []) : [], engines, form.engine);
  const shown = Object.fromEntries(Object.entries(fields).filter(([name]) => !isNew || touched.has(name)));
  const wrong = data?.problems.length ?? 0;

  const isSame = yaml === kept?.text;
  const isTyped = touched.size > 0 || (yaml !== null && !isSame);

  useEffect(() => onTyped(isTyped), [isTyped, onTyped]);

  const save = (): void => {
    if (checked === null) {
      return;
    }
    mutate(
      { definition: checked, version },
      {
        onError: (error) => tellError("The schedule was not saved", error),
        onSuccess: ({ id }) => {
          tell(isNew ? `${id} is made` : `${id} is changed`, "It is in force within seconds.");
          onDone();
        },
      },
    );
  };

  const turn = (tab: string): void => {
    if (tab === "yaml") {
      const text = kept?.form === form ? kept.text : toYaml(written);

      setKept({ form, text });
      setYaml(text);
    } else if (yaml !== null) {
      if (!isSame) {
        const known = checked ?? written;
        const read = formOf(known, engines);

        setBefore(known);
        setForm(read);
        setKept({ form: read, text: yaml });
        setTouched(new Set(Object.keys(read)));
      }
      setYaml(null);
    }
  };

  return (
    <>
      <Drawer.Body>
        <Stack gap="5">
          <Tabs.Root
            onValueChange={({ value }) => turn(value)}
            size="sm"
            value={yaml === null ? "form" : "yaml"}
            variant="line"
          >
            <Tabs.List>
              <Tabs.Trigger disabled={yaml !== null && !isSame && checked === null} value="form">
                Form
              </Tabs.Trigger>
              <Tabs.Trigger value="yaml">YAML</Tabs.Trigger>
            </Tabs.List>
            <Tabs.Content value="form">
              <FormFields
                engines={engines}
                fields={shown}
                form={form}
                isNew={isNew}
                onChange={(change) => {
                  setForm((old) => ({ ...old, ...change }) as Form);
                  // Another engine brings fields that nobody has touched yet.
                  const names = typed(change, form);

                  setTouched((old) => new Set([...old, ...names]));
                  if (names.length > 0) {
                    onTyped(true); // at once, not when it is drawn
                  }
                }}
              />
            </Tabs.Content>
            <Tabs.Content value="yaml">
              <Textarea
                aria-label="The schedule as YAML"
                autoComplete="off"
                fontFamily="mono"
                fontSize="xs"
                minH="96"
                onChange={(event) => {
                  setYaml(event.target.value);
                  onTyped(touched.size > 0 || event.target.value !== kept?.text); // as above
                }}
                spellCheck={false}
                value={yaml ?? ""}
              />
              <Text color="fg.muted" fontSize="xs" mt="1">
                Every key of a schedules file works here.
              </Text>
            </Tabs.Content>
          </Tabs.Root>
          <Concerns problems={yaml === null ? elsewhere : (data?.problems ?? [])} validation={data} />
        </Stack>
      </Drawer.Body>
      <NextRuns isChecking={isFetching} validation={data} />
      <DryRun definition={checked} />
      <Drawer.Footer borderTopWidth="1px">
        <Text color="fg.muted" fontSize="xs" me="auto">
          {wrong === 0 ? "" : `${formatCount(wrong, "thing")} to mend or to fill in`}
        </Text>
        <Button onClick={onDone} size="sm" variant="outline">
          Cancel
        </Button>
        <Button colorPalette="brand" disabled={checked === null} loading={isPending} onClick={save} size="sm">
          {isNew ? "Create schedule" : "Save"}
        </Button>
      </Drawer.Footer>
    </>
  );
};
