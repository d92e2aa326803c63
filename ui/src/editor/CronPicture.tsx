import { Button, Flex, Stack, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { ALL_MINUTES, MONTHS, type Picture, WEEKDAYS } from "./cron";
import { Choice } from "./fields";

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const MONTH_DAYS = Array.from({ length: 31 }, (_, index) => index + 1);
/** A week begins on Monday, as in the rest of the product. */
const WEEK = [1, 2, 3, 4, 5, 6, 0];
const FIVES = Array.from({ length: 12 }, (_, index) => index * 5);

const two = (value: number): string => String(value).padStart(2, "0");
const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

type DayChoice = "days" | "either" | "every" | "last" | "nth" | "weekdays";

const DAY_CHOICES: readonly (readonly [DayChoice, string])[] = [
  ["every", "Every day"],
  ["weekdays", "Days of the week"],
  ["days", "Days of the month"],
  ["either", "Days of the month, and days of the week"],
  ["last", "The last day of the month"],
  ["nth", "One weekday of the month"],
];

const dayChoice = ({ days, special, weekdays }: Picture): DayChoice => {
  if (special !== null) {
    return special === "L" ? "last" : "nth";
  }
  if (days !== null) {
    return weekdays === null ? "days" : "either";
  }

  return weekdays === null ? "every" : "weekdays";
};

const START: Readonly<Record<DayChoice, Pick<Picture, "days" | "special" | "weekdays">>> = {
  days: { days: [1], special: null, weekdays: null },
  either: { days: [1], special: null, weekdays: [0] },
  every: { days: null, special: null, weekdays: null },
  last: { days: null, special: "L", weekdays: null },
  nth: { days: null, special: "sun#1", weekdays: null },
  weekdays: { days: null, special: null, weekdays: [1, 2, 3, 4, 5] },
};

type CronPictureProps = {
  readonly label: string;
  readonly onChange: (picture: Picture) => void;
  readonly picture: Picture;
};

/** The hours, minutes and days of a cron expression as buttons; nothing can be chosen that never runs. */
export const CronPicture = ({ label, onChange, picture }: CronPictureProps) => {
  const put = (change: Partial<Picture>): void => onChange({ ...picture, ...change });
  const choice = dayChoice(picture);
  const odd = picture.minutes.filter((minute) => minute % 5 !== 0);

  return (
    <Stack aria-label={`Picture of ${label}`} borderWidth="1px" gap="3" p="3" role="group" rounded="md">
      {picture.seconds === null ? undefined : (
        <Text color="fg.muted" fontSize="xs">
          At the seconds {picture.seconds.length === 60 ? "0 to 59" : picture.seconds.join(", ")}: change them in the
          text.
        </Text>
      )}
      <Row
        all={() => put({ hours: HOURS })}
        text="Hours"
        values={HOURS}
        chosen={picture.hours}
        name={two}
        onChange={(hours) => put({ hours })}
      />
      <Row
        all={() => put({ minutes: ALL_MINUTES })}
        text="Minutes"
        values={odd.length > 12 ? ALL_MINUTES : [...new Set([...FIVES, ...odd])].sort((one, other) => one - other)}
        chosen={picture.minutes}
        name={(minute) => `:${two(minute)}`}
        onChange={(minutes) => put({ minutes })}
      />
      <Choice
        label="On"
        name={`${label}-days`}
        onChange={(value) => put(START[value as DayChoice])}
        options={DAY_CHOICES}
        value={choice}
      />
      {picture.weekdays === null ? undefined : (
        <Row
          text="Days of the week"
          values={WEEK}
          chosen={picture.weekdays}
          name={(day) => capital(WEEKDAYS[day] ?? "")}
          onChange={(weekdays) => put({ weekdays })}
        />
      )}
      {picture.days === null ? undefined : (
        <Row
          text="Days of the month"
          values={MONTH_DAYS}
          chosen={picture.days}
          name={String}
          onChange={(days) => put({ days })}
        />
      )}
      {choice === "either" ? (
        <Text color="fg.muted" fontSize="xs">
          Either is enough, as everywhere in cron: it runs on those days of the month and on those days of the week.
        </Text>
      ) : undefined}
      {choice === "nth" && picture.special !== null ? (
        <NthWeekday onChange={(special) => put({ special })} special={picture.special} />
      ) : undefined}
      <Row
        all={() => put({ months: null })}
        text="Months"
        values={MONTHS.map((_, index) => index + 1)}
        chosen={picture.months ?? MONTHS.map((_, index) => index + 1)}
        name={(month) => capital(MONTHS[month - 1] ?? "")}
        onChange={(months) => put({ months: months.length === 12 ? null : months })}
      />
    </Stack>
  );
};

type RowProps = {
  readonly all?: () => void;
  readonly chosen: readonly number[];
  readonly name: (value: number) => string;
  readonly onChange: (values: number[]) => void;
  readonly text: string;
  readonly values: readonly number[];
};

/** Values to switch on and off; the last one stays, because none would never run. */
const Row = ({ all, chosen, name, onChange, text, values }: RowProps) => (
  <Labelled
    action={
      all === undefined ? undefined : (
        <Button onClick={all} size="2xs" variant="ghost">
          All
        </Button>
      )
    }
    text={text}
  >
    {values.map((value) => {
      const isOn = chosen.includes(value);
      const others = chosen.filter((one) => one !== value);

      return (
        <Button
          aria-pressed={isOn}
          colorPalette={isOn ? "brand" : "gray"}
          aria-disabled={isOn && others.length === 0}
          fontVariantNumeric="tabular-nums"
          key={value}
          minW="8"
          onClick={() =>
            isOn
              ? others.length > 0 && onChange(others)
              : onChange([...chosen, value].sort((one, other) => one - other))
          }
          px="1.5"
          size="2xs"
          variant={isOn ? "solid" : "outline"}
        >
          {name(value)}
        </Button>
      );
    })}
  </Labelled>
);

type LabelledProps = { readonly action: ReactNode; readonly children: ReactNode; readonly text: string };

const Labelled = ({ action, children, text }: LabelledProps) => (
  <Stack aria-label={text} gap="1" role="group">
    <Flex align="center" gap="2" minH="6">
      <Text fontSize="xs" fontWeight="medium">
        {text}
      </Text>
      {action}
    </Flex>
    <Flex gap="1" wrap="wrap">
      {children}
    </Flex>
  </Stack>
);

const PLACES: readonly (readonly [string, string])[] = [
  ["1", "The first"],
  ["2", "The second"],
  ["3", "The third"],
  ["4", "The fourth"],
  ["5", "The fifth"],
  ["L", "The last"],
];

/** Take `mon#1` and `L5` apart. */
const partsOf = (special: string): { day: number; place: string } => {
  const [name = "", place = "L"] = special.toLowerCase().startsWith("l") ? [special.slice(1)] : special.split("#");
  const named = (WEEKDAYS as readonly string[]).indexOf(name.toLowerCase());

  return { day: named === -1 ? Number(name) % 7 : named, place };
};

const NthWeekday = ({
  onChange,
  special,
}: {
  readonly onChange: (special: string) => void;
  readonly special: string;
}) => {
  const { day, place } = partsOf(special);
  const tell = (next: { day: number; place: string }): void =>
    onChange(next.place === "L" ? `L${next.day}` : `${WEEKDAYS[next.day] ?? "sun"}#${next.place}`);

  return (
    <Flex gap="2">
      <Choice
        label="Which"
        name="place"
        onChange={(value) => tell({ day, place: value })}
        options={PLACES}
        value={place}
      />
      <Choice
        label="Weekday"
        name="weekday"
        onChange={(value) => tell({ day: Number(value), place })}
        options={WEEK.map((one) => [String(one), capital(WEEKDAYS[one] ?? "")] as const)}
        value={String(day)}
      />
    </Flex>
  );
};
