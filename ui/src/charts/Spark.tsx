import { Box } from "@chakra-ui/react";

type SparkProps = {
  readonly text: string;
  /** In their order; null where there is none, which is passed over. */
  readonly values: readonly (number | null)[];
};

const [WIDTH, HEIGHT] = [60, 16];

/** The points of a line, from the lowest value at the bottom to the highest at the top; empty of fewer than two. */
export const sparkPoints = (values: readonly (number | null)[]): string => {
  const known = values.flatMap((value, index) => (value === null ? [] : [{ index, value }]));
  const [low, high] = [Math.min(...known.map(({ value }) => value)), Math.max(...known.map(({ value }) => value))];

  return known.length < 2
    ? ""
    : known
        .map(({ index, value }) => {
          const x = (WIDTH * index) / (values.length - 1);
          // What changes by less than a tenth is drawn nearly flat, as it is.
          const y = HEIGHT / 2 + (HEIGHT - 2) * ((high + low) / 2 - value) * (1 / Math.max(high - low, high / 10, 1));

          return `${x.toFixed(1)},${y.toFixed(1)}`;
        })
        .join(" ");
};

/** A tiny line: where it goes, not how much it is. */
export const Spark = ({ text, values }: SparkProps) => {
  const points = sparkPoints(values);

  return points === "" ? undefined : (
    <Box asChild color="fg.muted" display="inline-block" flexShrink="0" height="4" width="15">
      <svg aria-label={text} role="img" viewBox={`0 0 ${WIDTH} ${HEIGHT}`}>
        <title>{text}</title>
        <polyline
          fill="none"
          points={points}
          stroke="currentColor"
          strokeLinejoin="round"
          strokeWidth="1.5"
          vectorEffect="non-scaling-stroke"
        />
      </svg>
    </Box>
  );
};
