import { Box, Button, Flex, Link, Text } from "@chakra-ui/react";
import { useState } from "react";

import { type Stale } from "../api/live";
import { useTimeline } from "../api/queries";
import type { Lane, Timeline } from "../api/types";
import { formatDuration, formatMoment, pageInput, sentence } from "../format";
import { Panel } from "../shared/Panel";
import { pageZone } from "../zone";
import { type Bar, barsOf, crowd, shareOf, type Tick, ticksOf } from "./timeline";

const FEW = 8;
const NAMES = { base: "24", md: "36" };

type TimelinePanelProps = { readonly onOpen: (id: string) => void; readonly stale: Stale };

/** The coming 24 hours: when each schedule runs, for how long, and when it may. */
export const TimelinePanel = ({ onOpen, stale }: TimelinePanelProps) => {
  const { data } = useTimeline();
  const [all, setAll] = useState(false);

  if (data === undefined || data.lanes.length === 0) {
    return undefined;
  }
  const lanes = all ? data.lanes : data.lanes.slice(0, FEW);
  const [full, ticks] = [crowd(data), ticksOf(data)];

  return (
    <Panel
      note={
        full === null
          ? `times in ${pageZone()}`
          : `${data.total > data.lanes.length ? "at least " : ""}${full.count} at once ` +
            `${formatMoment(full.at)}, and ${data.slots ?? 0} may run: the others wait`
      }
      stale={stale}
      title="The next 24 hours"
    >
      <Box px="4" py="3">
        <Hours ticks={ticks} />
        {lanes.map((lane) => (
          <LaneRow key={lane.schedule_id} lane={lane} onOpen={onOpen} ticks={ticks} timeline={data} />
        ))}
        <Flex align="center" color="fg.muted" fontSize="xs" gap="4" mt="3" wrap="wrap">
          <Legend color="running.solid" text="expected run" />
          <Legend color="bg.emphasized" text="may start: its window is open" />
          {lanes.some(({ runs }) => runs.some(({ skipped }) => skipped !== null)) ? (
            <Legend color="skipped.solid" text="skipped" />
          ) : undefined}
          {data.total > data.lanes.length ? (
            <Text>
              The {data.lanes.length} that run next, of {data.total}
            </Text>
          ) : undefined}
          {data.lanes.length > FEW ? (
            <Button ms="auto" onClick={() => setAll(!all)} size="2xs" variant="ghost">
              {all ? "Show fewer" : `Show ${data.lanes.length - FEW} more`}
            </Button>
          ) : undefined}
        </Flex>
      </Box>
    </Panel>
  );
};

const Legend = ({ color, text }: { readonly color: string; readonly text: string }) => (
  <Flex align="center" gap="1.5">
    <Box bg={color} boxSize="2.5" rounded="2px" />
    {text}
  </Flex>
);

const clock = (moment: string): string => pageInput(Date.parse(moment)).slice(11);

const Hours = ({ ticks }: { readonly ticks: readonly Tick[] }) => (
  <Flex aria-hidden="true">
    <Box flexShrink="0" width={NAMES} />
    <Box flex="1" height="5" position="relative">
      <Text color="running.fg" fontSize="2xs" fontWeight="semibold" left="0" position="absolute">
        now
      </Text>
      {ticks.map(({ at, share }, place) => (
        <Text
          color="fg.muted"
          display={{ base: place % 2 === 0 || share < 25 ? "none" : "block", md: "block" }}
          fontSize="2xs"
          fontVariantNumeric="tabular-nums"
          hidden={share < 4}
          key={at}
          left={`${share}%`}
          position="absolute"
          transform="translateX(-50%)"
        >
          {clock(at)}
        </Text>
      ))}
    </Box>
  </Flex>
);

type LaneProps = {
  readonly lane: Lane;
  readonly onOpen: (id: string) => void;
  readonly ticks: readonly Tick[];
  readonly timeline: Timeline;
};

const LaneRow = ({ lane, onOpen, ticks, timeline }: LaneProps) => (
  <Flex align="center" data-testid={`lane-${lane.schedule_id}`}>
    <Box flexShrink="0" pe="3" width={NAMES}>
      <Link
        as="button"
        display="block"
        fontSize="xs"
        maxW="full"
        onClick={() => onOpen(lane.schedule_id)}
        textAlign="start"
        truncate
      >
        {lane.schedule_id}
      </Link>
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
    </Box>
  </Flex>
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
