import { Box, Button, Flex, Text } from "@chakra-ui/react";
import { useState } from "react";

import { type Stale } from "../api/live";
import { useTimeline } from "../api/queries";
import type { Timeline } from "../api/types";
import { formatIn, formatMoment, pageInput } from "../format";
import { Choice } from "../shared/Choice";
import { Panel } from "../shared/Panel";
import { usePreference } from "../shared/preference";
import { pageZone } from "../zone";
import { BundleRow } from "./BundleRow";
import { LaneRow, NAMES } from "./LaneRow";
import { type Bundle, bundlesOf, type Rows, usualRows } from "./rows";
import { crowd, type Tick, ticksOf } from "./timeline";

const FEW = 8;
/** How many schedules are asked for: to show them one by one, and to put them together. */
const [SINGLE, TOGETHER] = [40, 500];

const DAY = { every: 3, hours: 24, label: "24 h", title: "The next 24 hours" } as const;
const WEEK = { every: 24, hours: 168, label: "7 d", title: "The next 7 days" } as const;

type TimelinePanelProps = { readonly onOpen: (id: string) => void; readonly stale: Stale };

/** The coming hours or days: when each schedule runs, for how long, and when it may. */
export const TimelinePanel = ({ onOpen, stale }: TimelinePanelProps) => {
  const [spanKey, setSpan] = usePreference("timeline span", ["24h", "7d"]);
  const [wanted, setWanted] = usePreference("timeline rows", ["usual", "schedule", "group", "engine"]);
  const span = spanKey === "24h" ? DAY : WEEK;
  const first = useTimeline(span.hours, SINGLE, wanted === "usual" || wanted === "schedule");
  const rows: Rows = wanted !== "usual" ? wanted : first.data === undefined ? "schedule" : usualRows(first.data);
  const whole = useTimeline(span.hours, TOGETHER, rows !== "schedule");
  const data = rows === "schedule" ? first.data : whole.data;

  if (data === undefined || (data.lanes.length === 0 && spanKey === "24h")) {
    return undefined;
  }

  return (
    <Panel
      action={
        <Flex align="center" gap="2">
          {data.total > 1 ? (
            <Choice
              all="Usual rows"
              label="Rows of the timeline"
              onChange={(value) => setWanted(value === "" ? "usual" : (value as Rows))}
              size="xs"
              value={wanted === "usual" ? "" : wanted}
              words={[
                ["schedule", "Each schedule"],
                ["group", "By group"],
                ["engine", "By engine"],
              ]}
            />
          ) : undefined}
          <Flex aria-label="How far ahead" gap="1" role="group">
            {(["24h", "7d"] as const).map((key) => (
              <Button
                aria-pressed={key === spanKey}
                key={key}
                onClick={() => setSpan(key)}
                size="2xs"
                variant={key === spanKey ? "subtle" : "ghost"}
              >
                {(key === "24h" ? DAY : WEEK).label}
              </Button>
            ))}
          </Flex>
        </Flex>
      }
      note={noteOf(data)}
      stale={stale}
      title={span.title}
    >
      <Chart every={span.every} onOpen={onOpen} rows={rows} timeline={data} />
    </Panel>
  );
};

const noteOf = (timeline: Timeline): string => {
  const full = crowd(timeline);

  return full === null
    ? `times in ${pageZone()}`
    : `${timeline.total > timeline.lanes.length ? "at least " : ""}${full.count} at once ` +
        `${formatMoment(full.at)}, and ${timeline.slots ?? 0} may run: the others wait`;
};

type ChartProps = {
  readonly every: number;
  readonly onOpen: (id: string) => void;
  readonly rows: Rows;
  readonly timeline: Timeline;
};

/** What stands in each row; a schedule alone in its group needs no head. */
const bundled = ({ lanes }: Timeline, rows: Rows): Bundle[] =>
  rows === "schedule"
    ? lanes.map((lane) => ({ key: lane.schedule_id, lanes: [lane], name: lane.schedule_id }))
    : bundlesOf(lanes, rows);

const Chart = ({ every, onOpen, rows, timeline }: ChartProps) => {
  const [all, setAll] = useState(false);
  const ticks = ticksOf(timeline, every);
  const bundles = bundled(timeline, rows);
  const shown = all ? bundles : bundles.slice(0, FEW);

  return (
    <Box px="4" py="3">
      <Hours isWeek={every === WEEK.every} ticks={ticks} />
      {shown.map((bundle) => {
        const [lane] = bundle.lanes;

        return bundle.lanes.length === 1 && lane !== undefined ? (
          <LaneRow key={bundle.key} lane={lane} onOpen={onOpen} ticks={ticks} timeline={timeline} />
        ) : (
          <BundleRow bundle={bundle} key={bundle.key} onOpen={onOpen} ticks={ticks} timeline={timeline} />
        );
      })}
      {bundles.length === 0 ? (
        <Text color="fg.muted" fontSize="sm">
          Nothing runs in this time.
        </Text>
      ) : undefined}
      <Flex align="center" color="fg.muted" fontSize="xs" gap="4" mt="3" wrap="wrap">
        <Legend color="running.solid" text="expected run" />
        <Legend color="bg.emphasized" text="may start: its window is open" />
        {timeline.lanes.some(({ runs }) => runs.some(({ skipped }) => skipped !== null)) ? (
          <Legend color="skipped.solid" text="skipped" />
        ) : undefined}
        {timeline.total > timeline.lanes.length ? (
          <Text>
            The {timeline.lanes.length} that run next, of {timeline.total}
          </Text>
        ) : undefined}
        {bundles.length > FEW ? (
          <Button ms="auto" onClick={() => setAll(!all)} size="2xs" variant="ghost">
            {all ? "Show fewer" : `Show ${bundles.length - FEW} more`}
          </Button>
        ) : undefined}
      </Flex>
    </Box>
  );
};

const Legend = ({ color, text }: { readonly color: string; readonly text: string }) => (
  <Flex align="center" gap="1.5">
    <Box bg={color} boxSize="2.5" rounded="2px" />
    {text}
  </Flex>
);

const clock = (moment: string): string => pageInput(Date.parse(moment)).slice(11);

/** "Mon 30": the day that begins there. */
const day = (moment: string): string => formatIn(moment, pageZone()).replace(/^(\w+),? (\d+).*$/u, "$1 $2");

type HoursProps = { readonly isWeek: boolean; readonly ticks: readonly Tick[] };

const Hours = ({ isWeek, ticks }: HoursProps) => (
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
          whiteSpace="nowrap"
        >
          {isWeek ? day(at) : clock(at)}
        </Text>
      ))}
    </Box>
  </Flex>
);
