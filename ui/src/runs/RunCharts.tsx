import { Box, Button, Flex, SimpleGrid, Table, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useTrend, useYear } from "../api/queries";
import type { TrendPoint } from "../api/types";
import { BarChart } from "../charts/BarChart";
import { HeatMap } from "../charts/HeatMap";
import { formatBytes, formatDuration, formatIn, formatMoment } from "../format";
import { usePreference } from "../shared/preference";
import { STATUSES } from "../words";
import { pageZone } from "../zone";
import { cellsOf, chartsOf, shareText, successText } from "./figures";

/** Fewer are read faster in the list below. */
const FEW = 2;

/** How the runs of a schedule compare: a year of days, and the last runs in figures. */
export const RunCharts = ({ id }: { readonly id: string }) => {
  const [shown, setShown] = usePreference("charts", ["shown", "hidden"]);
  const isShown = shown === "shown";
  const { data } = useTrend(id, isShown);
  const points = data?.points ?? [];

  return (
    <Box as="section" aria-label={`Charts of ${id}`}>
      <Flex align="center" gap="2" mb={isShown ? "3" : "0"}>
        <Button
          aria-expanded={isShown}
          onClick={() => setShown(isShown ? "hidden" : "shown")}
          size="2xs"
          variant="ghost"
        >
          {isShown ? "Hide charts" : "Show charts"}
        </Button>
        {points.length < FEW ? undefined : (
          <Text color="fg.muted" fontSize="xs">
            {successText(points)}
          </Text>
        )}
      </Flex>
      {isShown ? (
        <>
          <Year id={id} />
          {points.length < FEW ? undefined : <Figures id={id} points={points} />}
        </>
      ) : undefined}
    </Box>
  );
};

const Year = ({ id }: { readonly id: string }) => {
  const { data } = useYear(id);

  return data === undefined ? (
    <Box height="24" />
  ) : (
    <HeatMap
      cells={cellsOf(data, id)}
      days={data.days}
      legend={
        <>
          <Legend color="success.solid" text="completed" />
          <Legend color="failed.solid" text="× failed or cancelled" />
          <Legend color="skipped.solid" text="skipped" />
          <Legend color="border" text="no run" />
        </>
      }
      title={`Each day of the past year of ${id}`}
    />
  );
};

const Legend = ({ color, text }: { readonly color: string; readonly text: string }) => (
  <Flex align="center" gap="1.5">
    <Box bg={color} boxSize="2.5" rounded="2px" />
    {text}
  </Flex>
);

type FiguresProps = { readonly id: string; readonly points: readonly TrendPoint[] };

const dayOf = (point: TrendPoint | undefined): string =>
  point === undefined ? "" : formatIn(point.since, pageZone()).replace(/,? \d\d:\d\d$/u, "");

const Figures = ({ id, points }: FiguresProps) => {
  const [isTable, setTable] = useState(false);

  return (
    <>
      <SimpleGrid columns={{ base: 1, md: 3 }} gap="4" mt="3">
        {chartsOf(points).map((chart) => (
          <BarChart {...chart} ends={[dayOf(points[0]), dayOf(points.at(-1))]} key={chart.title} />
        ))}
      </SimpleGrid>
      <Button aria-expanded={isTable} mt="1" onClick={() => setTable(!isTable)} size="2xs" variant="ghost">
        {isTable ? "Hide the table" : "The same as a table"}
      </Button>
      {isTable ? <FigureTable id={id} points={points} /> : undefined}
    </>
  );
};

const FigureTable = ({ id, points }: FiguresProps) => (
  <Box maxH="72" mt="1" overflow="auto" tabIndex={0}>
    <Table.Root aria-label={`The last runs of ${id} in figures`} role="table" size="sm" stickyHeader>
      <Table.Header>
        <Table.Row>
          {["Run", "Kind", "Result", "Duration", "Read", "Stored", "Of the full before"].map((label) => (
            <Table.ColumnHeader key={label} whiteSpace="nowrap">
              {label}
            </Table.ColumnHeader>
          ))}
        </Table.Row>
      </Table.Header>
      <Table.Body>
        {[...points].reverse().map((point) => (
          <Table.Row fontVariantNumeric="tabular-nums" key={point.run_id} whiteSpace="nowrap">
            <Table.Cell>{formatMoment(point.since)}</Table.Cell>
            <Table.Cell>{point.kind?.replace("_", " ") ?? "–"}</Table.Cell>
            <Table.Cell>{STATUSES[point.status].label}</Table.Cell>
            <Table.Cell>{formatDuration(point.duration)}</Table.Cell>
            <Table.Cell>{formatBytes(point.bytes_read)}</Table.Cell>
            <Table.Cell>{formatBytes(point.bytes_stored)}</Table.Cell>
            <Table.Cell>{point.change === null ? "–" : shareText(point.change)}</Table.Cell>
          </Table.Row>
        ))}
      </Table.Body>
    </Table.Root>
  </Box>
);
