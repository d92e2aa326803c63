import { Box, Flex, Link } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Lane, Timeline } from "../api/types";
import { formatDuration, formatMoment, sentence } from "../format";
import { type Bar, barsOf, shareOf, type Tick } from "./timeline";

export const NAMES = { base: "24", md: "36" };

type RowProps = {
  readonly children: ReactNode;
  readonly name: ReactNode;
  readonly testId: string;
  readonly ticks: readonly Tick[];
};

/** A name, and what stands beside it on the lines of the hours. */
export const TimelineRow = ({ children, name, testId, ticks }: RowProps) => (
  <Flex align="center" data-testid={testId}>
    <Box flexShrink="0" pe="3" width={NAMES}>
      {name}
    </Box>
    <Box
      borderStartColor="running.solid"
      borderStartWidth="2px"
      flex="1"
      height="6"
      overflow="hidden"
      position="relative"
    >
      <Box bg="border" height="1px" left="0" position="absolute" right="0" top="50%" />
      {ticks.map(({ at, share }) => (
        <Box bg="border" height="full" key={at} left={`${share}%`} position="absolute" width="1px" />
      ))}
      {children}
    </Box>
  </Flex>
);

type LaneProps = {
  readonly isInside?: boolean;
  readonly lane: Lane;
  readonly onOpen: (id: string) => void;
  readonly ticks: readonly Tick[];
  readonly timeline: Timeline;
};

/** When one schedule runs, and when it may. */
export const LaneRow = ({ isInside = false, lane, onOpen, ticks, timeline }: LaneProps) => (
  <TimelineRow
    name={
      <Link
        as="button"
        display="block"
        fontSize="xs"
        maxW="full"
        onClick={() => onOpen(lane.schedule_id)}
        ps={isInside ? "4" : "0"}
        textAlign="start"
        truncate
      >
        {lane.schedule_id}
      </Link>
    }
    testId={`lane-${lane.schedule_id}`}
    ticks={ticks}
  >
    {lane.windows.map(({ closes_at: closes, opens_at: opens }) => (
      <Box
        bg="bg.emphasized"
        height="full"
        key={opens}
        left={`${shareOf(opens, timeline)}%`}
        opacity={0.6}
        position="absolute"
        title={`Its window is open ${formatMoment(opens)} to ${formatMoment(closes)}`}
        width={`${shareOf(closes, timeline) - shareOf(opens, timeline)}%`}
      />
    ))}
    {barsOf(lane, timeline).map((bar) => (
      <BarMark bar={bar} key={bar.label.at} lane={lane} />
    ))}
  </TimelineRow>
);

const BarMark = ({ bar, lane }: { readonly bar: Bar; readonly lane: Lane }) => {
  const isSkipped = bar.label.skipped !== null;

  return (
    <>
      {bar.waitsFrom === null ? undefined : (
        <Box
          borderColor="running.solid"
          borderTopWidth="2px"
          borderTopStyle="dotted"
          left={`${bar.waitsFrom}%`}
          position="absolute"
          top="calc(50% - 1px)"
          width={`${bar.start - bar.waitsFrom}%`}
        />
      )}
      <Box
        aria-label={barText(bar, lane)}
        bg={isSkipped ? "skipped.solid" : bar.kind === "full" ? "running.solid" : "running.emphasized"}
        height="3.5"
        left={`${bar.start}%`}
        minW="4px"
        opacity={isSkipped ? 0.55 : 1}
        position="absolute"
        role="img"
        rounded="sm"
        title={barText(bar, lane)}
        top="5px"
        width={`${bar.end - bar.start}%`}
      />
    </>
  );
};

const barText = ({ count, kind, label }: Bar, { expected, schedule_id: id }: Lane): string =>
  [
    `${id}, ${formatMoment(label.opens_at ?? label.at)}`,
    kind.replace("_", " "),
    count > 1 ? `${count} runs` : "",
    label.skipped === null
      ? expected === null
        ? "takes a time nobody knows yet"
        : `about ${formatDuration(expected)}`
      : sentence(label.skipped),
  ]
    .filter(Boolean)
    .join(" · ");
