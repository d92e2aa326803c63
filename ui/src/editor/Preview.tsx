import { Box, Flex, Spinner, Stack, Text } from "@chakra-ui/react";

import type { FieldProblem, Validation } from "../api/types";
import { Notice } from "../components/Notice";
import { Message } from "../components/Problem";
import { formatExact, formatMoment } from "../format";

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
            {validation.timezone}
          </Text>
          {isChecking ? <Spinner size="xs" /> : undefined}
        </Flex>
        <Flex as="ol" columnGap="5" fontSize="xs" fontVariantNumeric="tabular-nums" listStyleType="none" rowGap="1" wrap="wrap">
          {validation.next_runs.map((run) => (
            <Text as="li" color={run.skipped === null ? "fg" : "fg.muted"} key={run.at} title={run.skipped ?? formatExact(run.at, validation.timezone)}>
              <time
                dateTime={run.at}
                style={run.skipped === null ? undefined : { textDecoration: "line-through" }}
              >
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
