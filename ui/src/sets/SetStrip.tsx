import { Box, Flex, Text } from "@chakra-ui/react";
import { type PointerEvent, useState } from "react";

import type { RetentionVerdict } from "../api/types";
import { formatBytes, formatMoment } from "../format";
import { kindOf } from "../words";

const [WIDTH, LANE, MARK] = [1_000, 16, 5];

type Place = { verdict: RetentionVerdict; x: number };

/** Where each set is drawn, by its moment; the oldest first. */
const placesOf = (verdicts: readonly RetentionVerdict[]): Place[] => {
  const moments = verdicts.map(({ consistent_at: at }) => Date.parse(at));
  const [begin, end] = [Math.min(...moments), Math.max(...moments)];

  return verdicts
    .map((verdict, index) => ({
      verdict,
      x: end === begin ? WIDTH / 2 : (((moments[index] ?? begin) - begin) / (end - begin)) * (WIDTH - MARK),
    }))
    .sort((one, other) => one.x - other.x);
};

const textOf = ({ verdict }: Place): string =>
  [
    `${formatMoment(verdict.consistent_at)}, ${kindOf(verdict.kind)}, ${formatBytes(verdict.bytes_stored)}`,
    `${verdict.kept ? "kept" : "goes"}: ${verdict.reasons.join(", ")}`,
  ].join(" – ");

const nearest = (places: readonly Place[], x: number): number => {
  const far = places.map((place) => Math.abs(place.x - x));

  return far.indexOf(Math.min(...far));
};

/** Sets over time, above what is kept, below what goes; one is read out by pointer or arrow keys. */
export const SetStrip = ({ verdicts }: { readonly verdicts: readonly RetentionVerdict[] }) => {
  const [index, setIndex] = useState<number | null>(null);
  const places = placesOf(verdicts);
  const active = index === null ? undefined : places[index];

  const point = ({ clientX, currentTarget }: PointerEvent): void => {
    const { left, width } = currentTarget.getBoundingClientRect();

    setIndex(nearest(places, ((clientX - left) / width) * WIDTH));
  };

  return (
    <Box>
      <Flex gap="2">
        <Flex aria-hidden="true" color="fg.muted" direction="column" fontSize="2xs" justify="space-around" width="8">
          <span>kept</span>
          <span>goes</span>
        </Flex>
        <Box
          _focusWithin={{ outline: "2px solid", outlineColor: "border.emphasized", outlineOffset: "2px" }}
          bg="bg.subtle"
          flex="1"
          height="10"
          onPointerMove={point}
          position="relative"
          rounded="sm"
        >
          <svg
            aria-hidden="true"
            height="100%"
            preserveAspectRatio="none"
            viewBox={`0 0 ${WIDTH} ${2 * LANE + 8}`}
            width="100%"
          >
            {places.map((place, each) => (
              <Mark isActive={each === index} key={place.verdict.set_id} place={place} />
            ))}
          </svg>
          <input
            aria-label="Sets over time"
            aria-valuetext={active === undefined ? "none is chosen" : textOf(active)}
            max={places.length - 1}
            min={0}
            onChange={(event) => setIndex(Number(event.target.value))}
            onFocus={() => setIndex(index ?? places.length - 1)}
            step={1}
            style={{ inset: 0, opacity: 0, pointerEvents: "none", position: "absolute", width: "100%" }}
            type="range"
            value={index ?? places.length - 1}
          />
        </Box>
      </Flex>
      <Text color="fg.muted" fontSize="xs" minH="8" mt="1" ps="10">
        {active === undefined
          ? "The oldest on the left; point at a set, or use the arrow keys."
          : textOf(active)}
      </Text>
    </Box>
  );
};

const Mark = ({ isActive, place: { verdict, x } }: { readonly isActive: boolean; readonly place: Place }) => {
  const color = `var(--chakra-colors-${verdict.kept ? "success" : "failed"}-solid)`;

  return (
    <rect
      fill={verdict.kept ? color : "none"}
      height={isActive ? LANE + 4 : LANE}
      stroke={isActive ? "var(--chakra-colors-fg)" : color}
      strokeWidth={isActive ? 2 : 1}
      vectorEffect="non-scaling-stroke"
      width={MARK}
      x={x}
      y={(verdict.kept ? 2 : LANE + 6) - (isActive ? 2 : 0)}
    />
  );
};
