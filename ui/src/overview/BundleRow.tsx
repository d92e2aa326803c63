import { Box, Button, Text, VisuallyHidden } from "@chakra-ui/react";
import { useState } from "react";

import type { Timeline } from "../api/types";
import { formatCount, formatMoment } from "../format";
import { Chevron } from "../shared/icons";
import { LaneRow, TimelineRow } from "./LaneRow";
import { type Block, blocksOf, type Bundle } from "./rows";
import type { Tick } from "./timeline";

/** How many schedules of an open row are shown; the others run later. */
const MOST = 40;

type BundleRowProps = {
  readonly bundle: Bundle;
  readonly onOpen: (id: string) => void;
  readonly ticks: readonly Tick[];
  readonly timeline: Timeline;
};

/** When something of a group runs; opened, each of its schedules. */
export const BundleRow = ({ bundle, onOpen, ticks, timeline }: BundleRowProps) => {
  const [isOpen, setOpen] = useState(false);
  const { lanes, name } = bundle;

  return (
    <>
      <TimelineRow
        name={
          <Button
            aria-expanded={isOpen}
            fontSize="xs"
            height="auto"
            justifyContent="flex-start"
            maxW="full"
            minW="0"
            onClick={() => setOpen(!isOpen)}
            px="0"
            variant="plain"
            width="full"
          >
            <Box flexShrink="0" transform={isOpen ? undefined : "rotate(-90deg)"}>
              <Chevron />
            </Box>
            <Text as="span" truncate>
              {name}
            </Text>
            <Text as="span" color="fg.muted" flexShrink="0" hideBelow="md">
              {" "}
              {lanes.length}
            </Text>
            <VisuallyHidden> schedules</VisuallyHidden>
          </Button>
        }
        testId={`bundle-${bundle.key}`}
        ticks={ticks}
      >
        {blocksOf(bundle, timeline).map((block) => (
          <Box
            aria-label={blockText(block, name, timeline)}
            bg="running.solid"
            height="3.5"
            key={block.start}
            left={`${block.start}%`}
            minW="4px"
            position="absolute"
            role="img"
            rounded="sm"
            title={blockText(block, name, timeline)}
            top="5px"
            width={`${block.end - block.start}%`}
          />
        ))}
      </TimelineRow>
      {isOpen
        ? lanes
            .slice(0, MOST)
            .map((lane) => (
              <LaneRow isInside key={lane.schedule_id} lane={lane} onOpen={onOpen} ticks={ticks} timeline={timeline} />
            ))
        : undefined}
      {isOpen && lanes.length > MOST ? (
        <Text color="fg.muted" fontSize="xs" ps="4">
          and {lanes.length - MOST} that run later
        </Text>
      ) : undefined}
    </>
  );
};

const momentAt = (share: number, { now, until }: Timeline): string => {
  const [begin, end] = [Date.parse(now), Date.parse(until)];

  return formatMoment(new Date(begin + ((end - begin) * share) / 100).toISOString());
};

const blockText = ({ end, runs, schedules, start }: Block, name: string, timeline: Timeline): string =>
  `${name}, ${momentAt(start, timeline)} to ${momentAt(end, timeline).replace(/^.*, /u, "")} · ` +
  `${formatCount(runs, "run")} of ${formatCount(schedules.size, "schedule")}`;
