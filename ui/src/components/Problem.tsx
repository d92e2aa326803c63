import { Box, Code, Text } from "@chakra-ui/react";

import type { LoadProblem } from "../api/types";
import { sentence } from "../format";

export const placeOf = ({ column, file, line }: LoadProblem): string =>
  [file, line, column].filter((part) => part !== null).join(":");

/** One thing that is wrong in a schedules file: where, what, and what to try. */
export const Problem = ({ problem }: { readonly problem: LoadProblem }) => (
  <Box>
    <Text fontSize="sm">
      {sentence(problem.message)}
      {problem.hint === null ? undefined : (
        <Text as="span" color="fg.muted">
          {" "}
          – {problem.hint}
        </Text>
      )}
    </Text>
    <Code bg="transparent" color="fg.muted" fontSize="xs" px="0" wordBreak="break-all">
      {placeOf(problem)}
      {problem.path === null || problem.path === "" ? "" : ` · ${problem.path}`}
    </Code>
  </Box>
);
