import { Box, Button, Field, Flex, Grid, Input, Stack, Text } from "@chakra-ui/react";
import { useEffect, useId, useState } from "react";

import { useRetention } from "../api/sets";
import type { RetentionView, ScheduleSummary } from "../api/types";
import { Command } from "../shared/CopyButton";
import { useEditing } from "../shared/editing";
import { Chevron } from "../shared/icons";
import { CALM } from "../shared/manners";
import { toYaml } from "../yaml";
import { policyOf, type Rule, RULES, sumsOf, type Texts, textsOf } from "./retention";
import { Refusal } from "./Refusal";
import { SetStrip } from "./SetStrip";

const WAIT = 300;

type RetentionTryProps = { readonly own: RetentionView; readonly schedule: ScheduleSummary };

/** Tries other rules on the sets that are there, and shows what they would keep; nothing is saved. */
export const RetentionTry = ({ own, schedule }: RetentionTryProps) => {
  const [isOpen, setOpen] = useState(false);
  const body = useId();

  return (
    <Box as="section" aria-label="Try other rules" borderWidth="1px" rounded="lg">
      <Button
        aria-controls={isOpen ? body : undefined}
        aria-expanded={isOpen}
        fontWeight="semibold"
        justifyContent="start"
        onClick={() => setOpen(!isOpen)}
        size="sm"
        variant="ghost"
        width="full"
      >
        <Box color="fg.muted" transform={isOpen ? undefined : "rotate(-90deg)"} {...CALM}>
          <Chevron />
        </Box>
        Try other rules
      </Button>
      {isOpen ? (
        <Box id={body} pb="4" px="4">
          <Trial own={own} schedule={schedule} />
        </Box>
      ) : undefined}
    </Box>
  );
};

/** A value that has not changed for a moment: not every letter is asked about. */
const useSettled = (value: string | null): string | null => {
  const [settled, setSettled] = useState(value);

  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), WAIT);

    return () => clearTimeout(timer);
  }, [value]);

  return settled;
};

const Trial = ({ own, schedule }: RetentionTryProps) => {
  const [texts, setTexts] = useState<Texts>(() => textsOf(own.policy));
  const policy = policyOf(texts, own.policy);
  const isOwn = policy !== null && JSON.stringify(policy) === JSON.stringify(policyOf(textsOf(own.policy), own.policy));
  const asked = useSettled(policy === null || isOwn ? null : JSON.stringify(policy));
  const { data, error, isPlaceholderData: isOfOthers } = useRetention(schedule.id, asked);
  const shown = asked === null ? own : data;

  return (
    <Stack gap="3">
      <Text color="fg.muted" fontSize="xs">
        A set is kept when any rule keeps it. Nothing is saved, and nothing is removed.
      </Text>
      <Grid gap="3" templateColumns="repeat(auto-fill, minmax(8.5rem, 1fr))">
        {RULES.map((rule) => (
          <RuleField
            key={rule.key}
            onChange={(value) => setTexts({ ...texts, [rule.key]: value })}
            rule={rule}
            value={texts[rule.key] ?? ""}
          />
        ))}
      </Grid>
      {error !== null && asked !== null ? <Refusal error={error} title="These rules are not understood" /> : undefined}
      {shown === undefined || shown.sets.length === 0 ? undefined : (
        <Box opacity={isOfOthers ? 0.5 : 1}>
          <SetStrip verdicts={shown.sets} />
        </Box>
      )}
      <Stack aria-live="polite" fontSize="sm" gap="0.5">
        <Text color="fg.muted">The rules in force {sumsOf(own)}.</Text>
        {asked === null || data === undefined || isOfOthers || error !== null ? undefined : (
          <Text fontWeight="semibold">These rules {sumsOf(data)}.</Text>
        )}
        {shown?.refused ? <Text color="fg.error">Nothing would be removed now: {shown.refused}.</Text> : undefined}
      </Stack>
      {isOwn || policy === null || error !== null ? undefined : <Write policy={policy} schedule={schedule} />}
      <Flex>
        <Button disabled={isOwn} onClick={() => setTexts(textsOf(own.policy))} size="2xs" variant="outline">
          Back to the rules in force
        </Button>
      </Flex>
    </Stack>
  );
};

type RuleFieldProps = { readonly onChange: (value: string) => void; readonly rule: Rule; readonly value: string };

const RuleField = ({ onChange, rule: { hint, isCount, key, label, placeholder }, value }: RuleFieldProps) => (
  <Field.Root invalid={isCount && value.trim() !== "" && policyOf({ [key]: value }, null) === null}>
    <Field.Label fontSize="xs">{label}</Field.Label>
    <Input
      autoComplete="off"
      name={`try-${key}`}
      onChange={(event) => onChange(event.target.value)}
      placeholder={placeholder}
      size="xs"
      spellCheck={false}
      value={value}
      {...(isCount ? { inputMode: "numeric", max: 999_999, min: 1, type: "number" } : {})}
    />
    <Field.HelperText fontSize="2xs" lineHeight="1.3" mt="0.5">
      {hint}
    </Field.HelperText>
  </Field.Root>
);

type WriteProps = { readonly policy: Record<string, unknown>; readonly schedule: ScheduleSummary };

/** How the rules come into the schedule: only its author may change what is removed. */
const Write = ({ policy, schedule }: WriteProps) => {
  const edit = useEditing();

  return (
    <Box>
      <Text color="fg.muted" fontSize="xs" mb="1">
        To keep sets by these rules, write this into the schedule
        {schedule.made === null ? `, at ${schedule.origin}` : ", in the tab YAML of its editor"}:
      </Text>
      <Command label="the rules" text={toYaml({ retention: policy })} />
      {edit === null || schedule.made === null || !schedule.permissions.edit ? undefined : (
        <Button mt="1" onClick={() => edit(schedule.id)} size="2xs" variant="outline">
          Edit the schedule
        </Button>
      )}
    </Box>
  );
};
