import { Box, Code, Text } from "@chakra-ui/react";

import type { LoadProblem } from "../api/types";
import { sentence } from "../format";

export const placeOf = ({ column, file, line }: LoadProblem): string =>
  [file, line, column].filter((part) => part !== null).join(":");

/** A message of the server: `what` in backticks is what somebody wrote, or should write. */
export const Words = ({ text }: { readonly text: string }) => (
  <>
    {text.split("`").map((part, index) =>
      index % 2 === 0 ? (
        part
      ) : (
        <Code colorPalette="none" fontSize="0.9em" key={`${part}-${index}`}>
          {part}
        </Code>
      ),
    )}
  </>
);

type MessageProps = { readonly hint: string | null; readonly text: string };

export const Message = ({ hint, text }: MessageProps) => (
  <Text fontSize="sm" overflowWrap="anywhere" whiteSpace="pre-line">
    <Words text={sentence(text)} />
    {hint === null ? undefined : (
      <Text as="span" color="fg.muted">
        {" – "}
        <Words text={hint} />
      </Text>
    )}
  </Text>
);

/** One thing that is wrong in a schedules file: where, what, and what to try. */
export const Problem = ({ problem }: { readonly problem: LoadProblem }) => (
  <Box>
    <Message hint={problem.hint} text={problem.message} />
    <Code bg="transparent" color="fg.muted" fontSize="xs" px="0" wordBreak="break-all">
      {placeOf(problem)}
      {problem.path === null || problem.path === "" ? "" : ` · ${problem.path}`}
    </Code>
  </Box>
);
