import { Box, Flex, Spinner, Stack, Text } from "@chakra-ui/react";

import type { FieldProblem, Rhythm, Validation } from "../api/types";
import { Notice } from "../shared/Notice";
import { Message } from "../shared/Problem";
import { formatExact, formatMoment, sentence } from "../format";
import { pageZone } from "../zone";

type ConcernsProps = { readonly problems: readonly FieldProblem[]; readonly validation: Validation | undefined };

/** What is wrong without a field to stand at, and what the schedule would get in the way of. */
export const Concerns = ({ problems, validation }: ConcernsProps) => {
  const warnings = validation?.warnings ?? [];

  return problems.length + warnings.length === 0 ? undefined : (
    <Stack aria-live="polite" gap="3">
      {problems.map((problem) => (
        <Notice key={`${problem.field}:${problem.message}:${String(problem.line)}`} palette="failed">
          {problem.line === null && problem.field === "" ? undefined : (
            <Text color="fg.muted" fontFamily="mono" fontSize="xs">
              {[problem.line === null ? "" : `line ${problem.line}`, problem.field].filter(Boolean).join(" · ")}
            </Text>
          )}
          <Message hint={problem.hint} text={problem.message} />
        </Notice>
      ))}
      {warnings.map(({ hint, message }) => (
        <Notice key={message} palette="warning">
          <Message hint={hint} text={message} />
        </Notice>
      ))}
    </Stack>
  );
};

/** What the expressions say, where there are words that are sure to be right. */
const InWords = ({ rhythms }: { readonly rhythms: readonly Rhythm[] }) =>
  rhythms
    .filter(({ text, when }) => text !== when)
    .map(({ kind, text }) => (
      <Text fontSize="sm" key={kind} mb="1">
        {rhythms.length > 1 ? `${sentence(kind.replace("_", " "))}: ` : ""}
        {text}
      </Text>
    ));

type NextRunsProps = { readonly isChecking: boolean; readonly validation: Validation | undefined };

/** When it would run, as it is written at this moment. */
export const NextRuns = ({ isChecking, validation }: NextRunsProps) =>
  validation === undefined || validation.next_runs.length === 0 ? undefined : (
    <Box aria-label="Next runs" as="section" bg="bg.subtle" borderTopWidth="1px" px="6" py="3">
      <Flex align="center" gap="2" mb="1.5">
        <Text fontSize="xs" fontWeight="semibold">
          Next runs
        </Text>
        <Text color="fg.muted" fontSize="xs">
          {pageZone()}
        </Text>
        {isChecking ? <Spinner size="xs" /> : undefined}
      </Flex>
      <InWords rhythms={validation.rhythms} />
      <Flex
        as="ol"
        columnGap="5"
        fontSize="xs"
        fontVariantNumeric="tabular-nums"
        listStyleType="none"
        rowGap="1"
        wrap="wrap"
      >
        {validation.next_runs.map((run) => (
          <Text
            as="li"
            color={run.skipped === null ? "fg" : "fg.muted"}
            key={run.at}
            title={run.skipped ?? formatExact(run.at, validation.timezone)}
          >
            <time dateTime={run.at} style={run.skipped === null ? undefined : { textDecoration: "line-through" }}>
              {formatMoment(run.opens_at ?? run.at, validation.timezone)}
            </time>{" "}
            <Text as="span" color="fg.muted">
              {run.kind.replace("_", " ")}
            </Text>
          </Text>
        ))}
      </Flex>
    </Box>
  );
