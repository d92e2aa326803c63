import { Box, Flex, Heading, Link, SimpleGrid, Skeleton, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Age as Oldest, Status } from "../api/types";
import { useNow } from "../clock";
import type { Stale } from "../api/live";
import { formatExact, formatSpan, notSince, sentence } from "../format";
import { headline, type Headline, type Palette } from "../words";
import { ShieldAlert, ShieldBusy, ShieldCheck, ShieldIdle } from "../shared/icons";
import { Unreached } from "./Receivers";
import { Countdown } from "../shared/moments";

const MOODS: Record<Headline["mood"], { icon: ReactNode; palette: Palette }> = {
  bad: { icon: <ShieldAlert size="1.75rem" />, palette: "failed" },
  busy: { icon: <ShieldBusy size="1.75rem" />, palette: "running" },
  calm: { icon: <ShieldIdle size="1.75rem" />, palette: "queued" },
  good: { icon: <ShieldCheck size="1.75rem" />, palette: "success" },
};

type HeroProps = {
  readonly isCard?: boolean;
  /** Opens a schedule; left out where there is nothing to open it in. */
  readonly onOpen?: (id: string) => void;
  readonly stale: Stale;
  readonly status: Status;
};

const withoutStop = (text: string): string => text.replace(/\.$/u, "");

/** No green and no red of a while ago: what was true then, and when that was. */
const outOfDate = ({ detail, text }: Headline, { at, why }: NonNullable<Stale>): Headline => ({
  detail: [
    ...(why === null ? [] : [`${withoutStop(sentence(why))}.`]),
    `At that time: ${text}. ${withoutStop(detail)}. Trying again.`,
  ].join(" "),
  mood: "calm",
  text: notSince(at),
});

/** One sentence, and three numbers. */
export const Hero = ({ isCard = false, onOpen, stale, status }: HeroProps) => {
  const { detail, mood, text } = stale === null ? headline(status) : outOfDate(headline(status), stale);
  const { icon, palette } = MOODS[mood];

  return (
    <Flex align="center" direction={{ base: "column", lg: "row" }} gap="6" justify="space-between">
      <Flex align="center" colorPalette={palette} flex="1" gap="4" minW="0" width="full">
        <Flex
          align="center"
          bg="colorPalette.subtle"
          boxSize="14"
          color="colorPalette.fg"
          flexShrink="0"
          justify="center"
          rounded="full"
        >
          {icon}
        </Flex>
        <Box minW="0">
          <Heading as={isCard ? "h2" : "h1"} size={isCard ? "lg" : "xl"} textWrap="balance">
            {text}
          </Heading>
          <Text color="fg.muted" fontSize="sm" mt="0.5">
            {detail}
          </Text>
          {stale === null && status.next_runs.length > 1 ? (
            <Upcoming runs={status.next_runs} {...(onOpen === undefined ? {} : { onOpen })} />
          ) : undefined}
          {isCard ? undefined : <Unreached />}
        </Box>
      </Flex>
      {status.total > 0 ? (
        <Box color={stale === null ? undefined : "fg.muted"} width={{ base: "full", lg: "auto" }}>
          <Numbers status={status} />
        </Box>
      ) : undefined}
    </Flex>
  );
};

type UpcomingProps = { readonly onOpen?: (id: string) => void; readonly runs: Status["next_runs"] };

/** What comes next, each with the time until then. */
const Upcoming = ({ onOpen, runs }: UpcomingProps) => (
  <Flex
    aria-label="What runs next"
    as="ul"
    color="fg.muted"
    columnGap="4"
    fontSize="xs"
    listStyleType="none"
    mt="1"
    wrap="wrap"
  >
    {runs.map(({ at, opens_at: opens, schedule_id: id }) => (
      <Box as="li" fontVariantNumeric="tabular-nums" key={`${id} ${at}`}>
        {onOpen === undefined ? (
          id
        ) : (
          <Link as="button" color="fg" onClick={() => onOpen(id)}>
            {id}
          </Link>
        )}{" "}
        <Countdown at={opens ?? at} />
      </Box>
    ))}
  </Flex>
);

const Numbers = ({ status }: { readonly status: Status }) => {
  const [next] = status.next_runs;
  const { oldest_good: oldest, protection, total } = status;

  return (
    <SimpleGrid
      columns={{ base: 1, sm: 3 }}
      flexShrink="0"
      gap={{ base: "2", sm: "4", md: "8" }}
      width={{ base: "full", lg: "auto" }}
    >
      <Figure label="Oldest good backup" note={oldest === null ? "none yet" : noteOf(oldest)}>
        {oldest === null ? "–" : <Age at={oldest.at} limit={oldest.limit} />}
      </Figure>
      <Figure label="Protected" note={`of ${total}`}>
        {protection.good}
      </Figure>
      <Figure label="Next run" note={next === undefined ? "nothing is due" : next.schedule_id}>
        {next === undefined ? "–" : <Countdown at={next.opens_at ?? next.at} />}
      </Figure>
    </SimpleGrid>
  );
};

const noteOf = ({ limit, schedule_id: id }: Oldest): string =>
  limit === null ? id : `${id}, limit ${formatSpan(limit)}`;

const Age = ({ at, limit }: { readonly at: string; readonly limit: number | null }) => {
  const now = useNow();
  const seconds = (now - Date.parse(at)) / 1000;

  return (
    <span title={`${formatExact(at)}${limit === null ? "" : `; the limit is ${formatSpan(limit)}`}`}>
      {formatSpan(seconds)}
    </span>
  );
};

type FigureProps = { readonly children: ReactNode; readonly label: string; readonly note: string };

/** A figure with what it is above and more of it below; on a phone one line each. */
const Figure = ({ children, label, note }: FigureProps) => (
  <Flex
    align={{ base: "baseline", sm: "stretch" }}
    columnGap="2"
    direction={{ base: "row", sm: "column" }}
    wrap={{ base: "wrap", sm: "nowrap" }}
    minW={{ base: "0", md: "32" }}
  >
    <Text color="fg.muted" flexShrink="0" fontSize="xs" width={{ base: "32", sm: "auto" }}>
      {label}
    </Text>
    <Text
      fontSize={{ base: "md", sm: "xl" }}
      fontVariantNumeric="tabular-nums"
      fontWeight="semibold"
      lineHeight="short"
      whiteSpace="nowrap"
    >
      {children}
    </Text>
    <Text color="fg.muted" fontSize="xs" minW="0" truncate>
      {note}
    </Text>
  </Flex>
);

export const HeroSkeleton = () => (
  <Flex align="center" aria-busy="true" gap="4">
    <Skeleton boxSize="14" rounded="full" />
    <Box flex="1">
      <Skeleton height="6" width="xs" />
      <Skeleton height="4" mt="2" width="2xs" />
    </Box>
  </Flex>
);
