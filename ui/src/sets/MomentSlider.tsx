import { Box, Flex, Text } from "@chakra-ui/react";
import { type KeyboardEvent, useEffect, useState } from "react";

import { formatExact, formatMoment } from "../format";
import { usePageZone } from "../zone";
import { type Axis, keyed, placeAt } from "./moments";

const [WIDTH, HEIGHT, THUMB] = [1_000, 24, 8];

/** What is dragged over is not asked about; where it stays for a moment is. */
const WAIT = 150;

type MomentSliderProps = {
  readonly axis: Axis;
  readonly onChange: (moment: number) => void;
  readonly ownZone: string;
  readonly value: number;
};

/** All that can be restored on one line, with a mark for each set, and what cannot; arrow keys go from set to set. */
export const MomentSlider = ({ axis, onChange, ownZone, value }: MomentSliderProps) => {
  const zone = usePageZone();
  const [dragged, setDragged] = useState<number | null>(null);
  const shown = Math.min(axis.until, Math.max(axis.from, dragged ?? (Number.isNaN(value) ? axis.until : value)));
  const iso = new Date(shown).toISOString();

  useEffect(() => {
    if (dragged === null) {
      return undefined;
    }
    const timer = setTimeout(() => {
      onChange(Math.floor(dragged / 1000) * 1000);
      setDragged(null);
    }, WAIT);

    return () => clearTimeout(timer);
  }, [dragged, onChange]);

  const press = (event: KeyboardEvent): void => {
    const next = keyed(event.key, shown, axis);

    if (next !== null) {
      event.preventDefault();
      onChange(Math.floor(next / 1000) * 1000);
    }
  };

  return (
    <Box>
      <Box mx={`${THUMB}px`}>
        <Line axis={axis} />
      </Box>
      <input
        aria-label="All that can be restored"
        aria-valuetext={`${formatExact(iso, ownZone)}: ${placeAt(shown, axis)}`}
        max={axis.until}
        min={axis.from}
        onChange={(event) => setDragged(Number(event.target.value))}
        onKeyDown={press}
        step={1000}
        style={{ accentColor: "var(--chakra-colors-brand-solid)", display: "block", height: 24, width: "100%" }}
        type="range"
        value={shown}
      />
      <Flex color="fg.muted" fontSize="2xs" gap="2" justify="space-between">
        <span>{formatMoment(new Date(axis.from).toISOString())}</span>
        <Text aria-hidden="true" textAlign="center">
          {dragged === null ? `times in ${zone}` : formatMoment(iso)}
        </Text>
        <span>now</span>
      </Flex>
      <Legend axis={axis} />
      {axis.gaps.length === 0 ? undefined : (
        <Text color="fg.muted" fontSize="xs" mt="1">
          Here: {placeAt(shown, axis)}.
        </Text>
      )}
    </Box>
  );
};

const share = (moment: number, { from, until }: Axis): number =>
  until === from ? WIDTH : ((moment - from) / (until - from)) * WIDTH;

const color = (name: string): string => `var(--chakra-colors-${name})`;

const Line = ({ axis }: { readonly axis: Axis }) => (
  <svg aria-hidden="true" height={HEIGHT} preserveAspectRatio="none" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="100%">
    <rect fill={color("border-emphasized")} height="2" width={WIDTH} x="0" y={HEIGHT / 2 - 1} />
    {axis.spans.map((span) => (
      <rect
        data-testid="span"
        fill={color("success-solid")}
        height="8"
        key={span.from}
        width={Math.max(2, share(span.until, axis) - share(span.from, axis))}
        x={share(span.from, axis)}
        y={HEIGHT / 2 - 4}
      />
    ))}
    {axis.gaps.map((gap) => (
      <rect
        data-testid="gap"
        fill={color("failed-muted")}
        height={HEIGHT - 4}
        key={gap.from}
        stroke={color("failed-solid")}
        strokeDasharray="4 3"
        vectorEffect="non-scaling-stroke"
        width={Math.max(4, share(gap.until, axis) - share(gap.from, axis))}
        x={share(gap.from, axis)}
        y="2"
      >
        <title>{gap.why}</title>
      </rect>
    ))}
    {axis.marks.map((mark) => (
      <line
        data-testid="mark"
        key={mark}
        stroke={color("fg")}
        strokeWidth="1.5"
        vectorEffect="non-scaling-stroke"
        x1={share(mark, axis)}
        x2={share(mark, axis)}
        y1="3"
        y2={HEIGHT - 3}
      />
    ))}
  </svg>
);

const Legend = ({ axis }: { readonly axis: Axis }) => (
  <Flex aria-hidden="true" color="fg.muted" columnGap="3" fontSize="2xs" mt="1" wrap="wrap">
    <Sign box={{ bg: "fg", height: "10px", width: "2px" }} text="a set" />
    {axis.spans.length === 0 ? undefined : (
      <Sign box={{ bg: "success.solid", height: "6px", width: "12px" }} text="any moment, from archived logs" />
    )}
    {axis.gaps.length === 0 ? undefined : (
      <Sign box={GAP} text="nothing of this time can be restored" />
    )}
  </Flex>
);

const GAP = {
  bg: "failed.muted",
  borderColor: "failed.solid",
  borderStyle: "dashed",
  borderWidth: "1px",
  height: "10px",
  width: "12px",
};

type SignProps = { readonly box: Record<string, string>; readonly text: string };

const Sign = ({ box, text }: SignProps) => (
  <Flex align="center" gap="1">
    <Box {...box} />
    {text}
  </Flex>
);
