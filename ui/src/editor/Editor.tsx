import { Button, Drawer, Stack, Tabs, Text, Textarea } from "@chakra-ui/react";
import { useEffect, useMemo, useState } from "react";

import { useSave, useValidation } from "../api/queries";
import { tell, tellError } from "../components/toaster";
import { formatCount } from "../format";
import { toYaml } from "../yaml";
import { BLANK, definitionOf, type Form, formOf, SOURCE_FIELDS, sortProblems } from "./form";
import { FormFields } from "./FormFields";
import { Concerns, NextRuns } from "./Preview";

const PAUSE = 350;
const ENGINES = Object.keys(SOURCE_FIELDS);

const useLater = <T,>(value: T): T => {
  const [later, setLater] = useState(value);

  useEffect(() => {
    const timer = setTimeout(() => setLater(value), PAUSE);

    return () => clearTimeout(timer);
  }, [value]);

  return later;
};

type EditorProps = {
  readonly definition: Record<string, unknown> | null;
  readonly onDone: () => void;
  /** Told whether something is typed that closing would lose. */
  readonly onTyped: (isTyped: boolean) => void;
  /** The version that is changed; null for a new schedule. */
  readonly version: number | null;
};

/** Write a schedule: a form for what most need, YAML for everything; the server checks both as files are checked. */
export const Editor = ({ definition, onDone, onTyped, version: shownVersion }: EditorProps) => {
  // The version that was opened: what somebody else saves meanwhile must not be overwritten unseen.
  const [version] = useState(shownVersion);
  const isNew = version === null;
  const [before, setBefore] = useState(definition ?? BLANK);
  const [form, setForm] = useState<Form>(() => formOf(before));
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const [yaml, setYaml] = useState<string | null>(null);
  const written = useMemo(() => definitionOf(form, before), [before, form]);
  const body = useMemo(() => (yaml === null ? written : { yaml }), [written, yaml]);
  const asked = useLater(body);
  const { data, isFetching, isPlaceholderData } = useValidation(asked);
  // What the server says of exactly what is typed now; nothing else may be saved.
  const current = asked === body && !isPlaceholderData && !isFetching ? data : undefined;
  const checked = current?.valid === true ? current.definition : null;
  const { isPending, mutate } = useSave();
  const { elsewhere, fields } = sortProblems(yaml === null ? (data?.problems ?? []) : [], form.engine);
  const shown = Object.fromEntries(Object.entries(fields).filter(([name]) => !isNew || touched.has(name)));
  const wrong = data?.problems.length ?? 0;
  const engines = ENGINES.includes(form.engine) ? ENGINES : [...ENGINES, form.engine];

  const isTyped = touched.size > 0 || yaml !== null;

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
      setYaml(toYaml(written));
    } else {
      const known = checked ?? written;

      setBefore(known);
      setForm(formOf(known));
      setTouched(new Set(Object.keys(form)));
      setYaml(null);
    }
  };

  return (
    <>
      <Drawer.Body>
        <Stack gap="5">
          <Tabs.Root onValueChange={({ value }) => turn(value)} size="sm" value={yaml === null ? "form" : "yaml"} variant="line">
            <Tabs.List>
              <Tabs.Trigger disabled={yaml !== null && checked === null} value="form">
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
                  setForm((old) => ({ ...old, ...change }));
                  setTouched((old) => new Set([...old, ...Object.keys(change)]));
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
                onChange={(event) => setYaml(event.target.value)}
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
      <Drawer.Footer borderTopWidth="1px">
        <Text color="fg.muted" fontSize="xs" me="auto">
          {wrong === 0 ? "" : `${formatCount(wrong, "thing")} to mend or to fill in`}
        </Text>
        <Button onClick={onDone} size="sm" variant="outline">
          Cancel
        </Button>
        <Button
          colorPalette="brand"
          disabled={checked === null}
          loading={isPending}
          onClick={save}
          size="sm"
        >
          {isNew ? "Create schedule" : "Save"}
        </Button>
      </Drawer.Footer>
    </>
  );
};
