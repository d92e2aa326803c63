import { Box, Code, Link, Text } from "@chakra-ui/react";
import { useState } from "react";

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

/** More than this is what a program wrote, and is one click away. */
const LONG = 180;

/** The beginning of a long text, cut at a line or a word; null where it is short enough. */
export const beginningOf = (text: string): string | null => {
  const [line = ""] = text.split("\n");
  const first = line.length > LONG ? line.slice(0, LONG).replace(/\s+\S*$/u, "") : line;

  return first.length < text.trimEnd().length ? first : null;
};

export const Message = ({ hint, text }: MessageProps) => {
  const [isWhole, setWhole] = useState(false);
  const whole = sentence(text);
  const short = beginningOf(whole);

  return (
    <Text fontSize="sm" overflowWrap="anywhere" whiteSpace="pre-line">
      <Words text={short === null || isWhole ? whole : `${short} …`} />
      {short === null ? undefined : (
        <Link as="button" color="fg.info" fontSize="xs" ms="1.5" onClick={() => setWhole(!isWhole)} type="button">
          {isWhole ? "less" : "more"}
        </Link>
      )}
      {hint === null ? undefined : (
        <Text as="span" color="fg.muted">
          {" – "}
          <Words text={hint} />
        </Text>
      )}
    </Text>
  );
};

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
