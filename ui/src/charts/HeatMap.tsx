import { Box, Flex, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { useSteps, type Keys } from "./steps";
import { monthOf, weeksOf } from "./weeks";

/** A day of a calendar: its colour says the worst that happened, its text all of it. */
export type Cell = { readonly color: string; readonly isBad: boolean; readonly text: string };

type HeatMapProps = {
  readonly cells: readonly Cell[];
  readonly days: readonly string[];
  /** Stands below while no day is looked at. */
  readonly legend: ReactNode;
  readonly title: string;
};

const KEYS: Keys = { ArrowDown: 1, ArrowLeft: -7, ArrowRight: 7, ArrowUp: -1, PageDown: 28, PageUp: -28 };
/** On a phone half a year: the rest would be too small to see. */
const WEEKS_OF_A_PHONE = 26;

/** A year of days, a column for each week. */
export const HeatMap = ({ cells, days, legend, title }: HeatMapProps) => {
  const weeks = weeksOf(days);
  const steps = useSteps(cells.length, (index) => cells[index]?.text ?? "", KEYS);
  const { at } = steps;
  const shown = at === null ? undefined : cells[at];

  return (
    <>
      <Flex {...steps.props} aria-label={title} gap="2px" rounded="sm">
        {weeks.map((week, place) => (
          <Box
            flex="1"
            hideBelow={place < weeks.length - WEEKS_OF_A_PHONE ? "md" : undefined}
            key={days[week.find((index) => index !== null) ?? 0]}
            maxW="4"
            minW="0"
          >
            <Text aria-hidden="true" color="fg.muted" fontSize="2xs" height="4" whiteSpace="nowrap" width="0">
              {monthOf(week, days)}
            </Text>
            {week.map((index, day) => (
              <Day
                cell={index === null ? undefined : cells[index]}
                isLookedAt={index !== null && index === at}
                // A week has seven places, whatever stands there.
                key={index ?? `none ${day}`}
                onLook={() => steps.look(index)}
              />
            ))}
          </Box>
        ))}
      </Flex>
      <Flex align="center" aria-hidden="true" color="fg.muted" columnGap="3" fontSize="xs" minH="5" mt="1" wrap="wrap">
        {shown === undefined ? legend : shown.text}
      </Flex>
    </>
  );
};

type DayProps = { readonly cell: Cell | undefined; readonly isLookedAt: boolean; readonly onLook: () => void };

const Day = ({ cell, isLookedAt, onLook }: DayProps) => (
  <Flex
    align="center"
    aspectRatio="1"
    bg={cell?.color}
    color="failed.contrast"
    fontSize="2xs"
    fontWeight="bold"
    justify="center"
    lineHeight="1"
    mb="2px"
    onMouseEnter={onLook}
    outline={isLookedAt ? "2px solid" : undefined}
    outlineColor="fg"
    rounded="2px"
  >
    {cell?.isBad === true ? "×" : undefined}
  </Flex>
);
