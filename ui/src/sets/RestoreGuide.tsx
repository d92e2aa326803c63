import { Box, Button, Field, Flex, Input, Stack, Text, Textarea } from "@chakra-ui/react";
import { type ReactNode, useCallback, useMemo, useState } from "react";

import { useRecovery } from "../api/sets";
import type { RecoveryPlan, ScheduleSummary, SetList } from "../api/types";
import { serverNow } from "../clock";
import { formatExact, sentence } from "../format";
import { Contents } from "../looks/Contents";
import { Failure } from "../shared/Failure";
import { MomentField } from "../shared/MomentField";
import { usePageZone } from "../zone";
import { axisOf } from "./moments";
import { MomentSlider } from "./MomentSlider";
import { PlaceField } from "./PlaceField";
import { Plan } from "./Plan";
import { RestoreForm } from "./RestoreForm";
import { RestoreRuns } from "./RestoreRuns";
import { pathsOf, problemOf } from "./restoring";

const REST_OF_SECOND = 999;

type RestoreGuideProps = { readonly list: SetList; readonly schedule: ScheduleSummary };

/** From a moment to what was brought back: when, what, where, the plan, a word typed, and how it goes. */
export const RestoreGuide = ({ list, schedule }: RestoreGuideProps) => {
  const zone = usePageZone();
  const [opened] = useState(serverNow);
  // The moment is what was chosen, not its letters: with another zone the field says the same moment otherwise.
  const [at, setAt] = useState(() => Math.floor(opened / 1000) * 1000);
  const [isAsking, setAsking] = useState(false);
  const [paths, setPaths] = useState("");
  const [place, setPlace] = useState("");
  const [started, setStarted] = useState<string | null>(null);
  const [target, setTarget] = useState<string | null>(null);
  const pick = useCallback((moment: number) => setAt(moment), []);
  // The field has seconds: what was taken within the chosen one counts.
  const chosen = Number.isNaN(at) ? null : new Date(at + REST_OF_SECOND).toISOString();
  const { data: plan, error, isPlaceholderData: isOfAnother, refetch } = useRecovery(schedule.id, chosen);
  const axis = useMemo(() => axisOf(list, opened), [list, opened]);
  const mayRestore = list.permissions.restore && plan !== undefined && plan.sets.length > 0;
  const isOpen = isAsking && mayRestore;
  const folder = target ?? `${schedule.id}-${(plan?.consistent_at ?? "").slice(0, 10)}`;
  const only = isOpen && plan.takes_paths ? pathsOf(paths) : [];

  return (
    <Stack aria-label="Restore" as="section" borderWidth="1px" gap="4" p="4" rounded="lg">
      <Step number={isOpen ? 1 : null} title="When">
        <MomentField hasSeconds label="Bring it back as it was at" onChange={setAt} value={at}>
          {chosen === null ? `In ${zone}, like all times of the page.` : `${formatExact(chosen, schedule.timezone)}.`}
        </MomentField>
        {axis === null ? undefined : (
          <MomentSlider axis={axis} onChange={pick} ownZone={schedule.timezone} value={at} />
        )}
      </Step>
      {isOpen ? (
        <>
          <What onChange={setPaths} plan={plan} value={paths} />
          <Where folder={folder} onFolder={setTarget} onPlace={setPlace} place={place} schedule={schedule} />
        </>
      ) : undefined}
      {plan === undefined ? undefined : (
        <Step number={isOpen ? 4 : null} title="The plan">
          <Box opacity={isOfAnother ? 0.5 : 1}>
            <Plan ownZone={schedule.timezone} paths={only} plan={plan} target={isOpen ? folder.trim() : ""} />
          </Box>
        </Step>
      )}
      {error === null ? undefined : (
        <Failure error={error} onRetry={() => void refetch()} what="What brings that moment back" />
      )}
      {isOpen ? (
        <Step number={5} title="Confirm">
          <RestoreForm
            chosen={{ paths: only, place, target: folder }}
            isReady={!isOfAnother && problemOf(only) === null}
            key={chosen}
            onCancel={() => setAsking(false)}
            onStart={(run) => {
              setStarted(run);
              setAsking(false);
            }}
            plan={plan}
            schedule={schedule}
          />
        </Step>
      ) : mayRestore ? (
        <Flex>
          <Button
            colorPalette="danger"
            disabled={isOfAnother}
            onClick={() => setAsking(true)}
            size="sm"
            variant="outline"
          >
            Restore …
          </Button>
        </Flex>
      ) : undefined}
      <RestoreRuns schedule={schedule} started={started} />
    </Stack>
  );
};

type StepProps = { readonly children: ReactNode; readonly number: number | null; readonly title: string };

/** A step of the way; they are numbered once somebody goes it. */
const Step = ({ children, number, title }: StepProps) => (
  <Box aria-label={title} role="group">
    {number === null ? undefined : (
      <Text fontSize="sm" fontWeight="semibold" mb="1.5">
        {number}. {title}
      </Text>
    )}
    <Stack gap="3">{children}</Stack>
  </Box>
);

type WhatProps = { readonly onChange: (text: string) => void; readonly plan: RecoveryPlan; readonly value: string };

const What = ({ onChange, plan, value }: WhatProps) => {
  const paths = pathsOf(value);
  const problem = problemOf(paths);
  const last = plan.sets.at(-1);

  return (
    <Step number={2} title="What">
      {plan.takes_paths ? (
        <>
        <Field.Root invalid={problem !== null}>
          <Field.Label fontSize="sm">Only these files and folders</Field.Label>
          <Textarea
            autoresize
            fontFamily="mono"
            onChange={(event) => onChange(event.target.value)}
            placeholder="Everything"
            rows={2}
            size="sm"
            spellCheck={false}
            value={value}
          />
          {problem === null ? (
            <Field.HelperText fontSize="xs">
              One a line, as they are called in the source. Empty: everything.
            </Field.HelperText>
          ) : (
            <Field.ErrorText fontSize="xs">{sentence(problem)}</Field.ErrorText>
          )}
        </Field.Root>
        {last === undefined ? undefined : (
          <Contents
            chosen={paths}
            key={last.set_id}
            onChoose={(path, isChosen) =>
              onChange((isChosen ? [...paths, path] : paths.filter((each) => each !== path)).join("\n"))
            }
            setId={last.set_id}
          />
        )}
        </>
      ) : (
        <Text fontSize="sm">Everything: such sets are restored as a whole.</Text>
      )}
    </Step>
  );
};

type WhereProps = {
  readonly folder: string;
  readonly onFolder: (folder: string) => void;
  readonly onPlace: (dag: string) => void;
  readonly place: string;
  readonly schedule: ScheduleSummary;
};

const Where = ({ folder, onFolder, onPlace, place, schedule }: WhereProps) => (
  <Step number={3} title="Where">
    <Field.Root>
      <Field.Label fontSize="sm">Folder, or connection:ID/database</Field.Label>
      <Input
        autoComplete="off"
        maxLength={1000}
        onChange={(event) => onFolder(event.target.value)}
        size="sm"
        spellCheck={false}
        value={folder}
      />
      <Field.HelperText fontSize="xs">
        Written on a worker, into a new folder below those that an administrator allows. What is there is never touched.
      </Field.HelperText>
    </Field.Root>
    <PlaceField onChange={onPlace} schedule={schedule.id} value={place} />
  </Step>
);
