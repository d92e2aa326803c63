import { Box, Button, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useLook } from "../api/looks";
import type { DryRunAnswer } from "../api/types";
import { formatBytes, formatCount, sentence } from "../format";
import { Waiting } from "../looks/Waiting";
import { Failure } from "../shared/Failure";
import { Notice } from "../shared/Notice";
import { Message } from "../shared/Problem";

type DryRunProps = {
  /** What would be saved; null while something is wrong with it. */
  readonly definition: Record<string, unknown> | null;
};

/** Let a worker look at the source and the repository of what is typed: what would a run do? Nothing is saved. */
export const DryRun = ({ definition }: DryRunProps) => {
  const { answer, ask, error, isBusy, isSending, started } = useLook();
  const [asked, setAsked] = useState<string | null>(null);
  const typed = definition === null ? null : JSON.stringify(definition);
  // An answer to what was typed before says nothing of what is typed now.
  const isOfThis = asked !== null && asked === typed;
  const look = (): void => {
    if (definition !== null) {
      setAsked(typed);
      ask({ body: definition, path: "schedules/dry-run" });
    }
  };

  return (
    <Box aria-label="Dry run" as="section" bg="bg.subtle" borderTopWidth="1px" px="6" py="3">
      <Stack gap="2">
        <Box alignItems="center" display="flex" gap="3">
          <Button disabled={definition === null} loading={isSending} onClick={look} size="xs" variant="outline">
            Dry run
          </Button>
          <Text color="fg.muted" fontSize="xs">
            A worker looks whether it can be read, and how much it is. Nothing is stored.
          </Text>
        </Box>
        {isBusy ? <Waiting answer={answer} started={started} /> : undefined}
        {isOfThis && !isBusy ? (
          <>
            {error === null ? undefined : <Failure error={error} onRetry={look} what="The dry run" />}
            {answer?.problem ? (
              <Notice palette="failed">
                <Message hint={answer.problem.hint} text={answer.problem.message} />
              </Notice>
            ) : undefined}
            {answer?.dry_run ? <Found found={answer.dry_run} /> : undefined}
          </>
        ) : undefined}
      </Stack>
    </Box>
  );
};

const Found = ({ found }: { readonly found: DryRunAnswer }) => {
  if (found.problems.length > 0) {
    return (
      <Stack aria-live="polite" gap="2">
        <Text fontSize="sm" fontWeight="semibold">
          A run would fail{found.host === null ? "" : ` on ${found.host}`}
        </Text>
        {found.problems.map(({ hint, message }) => (
          <Notice key={message} palette="failed">
            <Message hint={hint} text={message} />
          </Notice>
        ))}
      </Stack>
    );
  }

  return (
    <Box aria-live="polite">
      <Text fontSize="sm">{takes(found)}</Text>
      {[
        found.reason === null ? null : `${sentence(found.reason)}.`,
        found.repository_is_new ? "The repository is new: the first run makes it." : null,
        found.host === null ? null : `Looked at on ${found.host}.`,
      ]
        .filter((line) => line !== null)
        .map((line) => (
          <Text color="fg.muted" fontSize="xs" key={line}>
            {line}
          </Text>
        ))}
      {found.unread.map((line) => (
        <Text color="fg.error" fontSize="xs" key={line}>
          May not be read: {line}
        </Text>
      ))}
    </Box>
  );
};

/** What a run would take, in a sentence. */
const takes = ({ bytes_read: bytes, files, is_all: isAll, kind }: DryRunAnswer): string => {
  const set = kind.replace("_", " ");
  const what = `A run would take ${/^[aeiou]/u.test(set) ? "an" : "a"} ${set} set`;

  if (bytes === null) {
    return `${what}. Nobody can tell its size before.`;
  }
  const counted = files === null ? "" : `${formatCount(files, "file")}, `;

  return `${what} of ${isAll ? "" : "at least "}${counted}${formatBytes(bytes)}.`;
};
