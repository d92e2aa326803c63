import { Box, Flex, Text } from "@chakra-ui/react";

import { type Measure, ticksTo, tickText } from "./scale";
import { columnOf, useSteps } from "./steps";
import { Tip } from "./Tip";

/** One thing in a chart: how high it is, and what is said of it. */
export type Bar = {
  /** What stands behind it, higher as a rule. */
  readonly behind?: number | null;
  readonly color: string;
  /** Marked with a cross as well: a colour alone says nothing to many. */
  readonly isBad: boolean;
  readonly key: string;
  readonly text: string;
  /** Null where there is nothing to measure. */
  readonly value: number | null;
};

type BarChartProps = {
  readonly bars: readonly Bar[];
  readonly ends: readonly [string, string];
  readonly measure: Measure;
  readonly note: string;
  readonly title: string;
};

const HEIGHT = 100;
const WIDTH = 10;

/** Bars in their order, with lines at round figures. */
export const BarChart = ({ bars, ends, measure, note, title }: BarChartProps) => {
  const steps = useSteps(bars.length, (index) => bars[index]?.text ?? "");
  const ticks = ticksTo(Math.max(0, ...bars.map(({ behind, value }) => Math.max(behind ?? 0, value ?? 0))), measure);
  const top = ticks.at(-1) ?? 1;
  const heightOf = (value: number): number => (HEIGHT * value) / top;
  const shown = steps.at === null ? undefined : bars[steps.at];

  return (
    <Box>
      <Flex align="baseline" columnGap="2" mb="2" wrap="wrap">
        <Text fontSize="xs" fontWeight="semibold">
          {title}
        </Text>
        <Text color="fg.muted" fontSize="xs" fontVariantNumeric="tabular-nums">
          {note}
        </Text>
      </Flex>
      <Flex position="relative">
        <Box
          aria-hidden="true"
          color="fg.muted"
          flexShrink="0"
          fontSize="2xs"
          height="20"
          position="relative"
          width="14"
        >
          {ticks.map((value) => (
            <Text
              bottom={`${heightOf(value)}%`}
              fontVariantNumeric="tabular-nums"
              key={value}
              lineHeight="1"
              pe="1.5"
              position="absolute"
              right="0"
              transform="translateY(50%)"
              whiteSpace="nowrap"
            >
              {tickText(value, measure)}
            </Text>
          ))}
        </Box>
        <Box
          {...steps.props}
          aria-label={title}
          flex="1"
          height="20"
          minW="0"
          onMouseMove={(event) => steps.look(columnOf(event, bars.length))}
          position="relative"
          rounded="sm"
        >
          <Box asChild display="block" height="full" width="full">
            <svg aria-hidden="true" preserveAspectRatio="none" viewBox={`0 0 ${bars.length * WIDTH} ${HEIGHT}`}>
              {ticks.map((value) => (
                <Box asChild key={value} stroke="border">
                  <line
                    vectorEffect="non-scaling-stroke"
                    x1="0"
                    x2={bars.length * WIDTH}
                    y1={HEIGHT - heightOf(value)}
                    y2={HEIGHT - heightOf(value)}
                  />
                </Box>
              ))}
              {bars.map(({ behind, color, key, value }, index) => (
                <g key={key} opacity={steps.at === null || steps.at === index ? 1 : 0.6}>
                  <Column color="border.emphasized" height={heightOf(behind ?? 0)} index={index} />
                  <Column color={color} height={heightOf(value ?? 0)} index={index} />
                </g>
              ))}
            </svg>
          </Box>
          {bars.map(({ isBad, key }, index) =>
            isBad ? (
              <Text
                aria-hidden="true"
                bottom="0"
                color="failed.fg"
                fontSize="xs"
                fontWeight="bold"
                key={key}
                left={`${(100 * (index + 0.5)) / bars.length}%`}
                lineHeight="1"
                position="absolute"
                transform="translateX(-50%)"
              >
                ×
              </Text>
            ) : undefined,
          )}
        </Box>
        {shown === undefined ? undefined : <Tip share={((steps.at ?? 0) + 0.5) / bars.length} text={shown.text} />}
      </Flex>
      <Flex aria-hidden="true" color="fg.muted" fontSize="2xs" justify="space-between" mt="1" ps="14">
        <span>{ends[0]}</span>
        <span>{ends[1]}</span>
      </Flex>
    </Box>
  );
};

type ColumnProps = { readonly color: string; readonly height: number; readonly index: number };

const Column = ({ color, height, index }: ColumnProps) =>
  height <= 0 ? undefined : (
    <Box asChild fill={color}>
      <rect
        height={Math.max(height, 1)}
        width={WIDTH * 0.76}
        x={index * WIDTH + WIDTH * 0.12}
        y={HEIGHT - Math.max(height, 1)}
      />
    </Box>
  );
