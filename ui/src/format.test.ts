import { afterEach, describe, expect, it, vi } from "vitest";

import {
  formatAge,
  formatBytes,
  formatCountdown,
  formatDuration,
  formatExact,
  formatIn,
  formatMoment,
  formatSpan,
  momentIn,
  sentence,
  zonedInput,
} from "./format";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("a number of bytes", () => {
  it.each([
    [null, "–"],
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [1_234_567, "1.2 MB"],
    [18_400_000_000, "18.4 GB"],
    [2e18, "2000.0 PB"],
  ])("%s reads %s", (count, text) => expect(formatBytes(count)).toBe(text));
});

describe("how long something took", () => {
  it.each([
    [null, "–"],
    [0.04, "0.0 s"],
    [9.94, "9.9 s"],
    [10, "10 s"],
    [59.6, "1 min 00 s"],
    [3600, "1 h 00 min"],
    [93_784, "1 d 2 h"],
  ])("%s seconds read %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

describe("a countdown", () => {
  it.each([
    [-5 * SECOND, "due now"],
    [0, "due now"],
    [1, "in 1 s"],
    [59 * SECOND, "in 59 s"],
    [61 * SECOND, "in 1 min 01 s"],
    [HOUR, "in 1 h 00 min"],
    [26 * HOUR + 5 * MINUTE, "in 1 d 2 h"],
    [9 * DAY, "in 9 d 0 h"],
  ])("%s ms read %s", (left, text) => expect(formatCountdown(left)).toBe(text));
});

describe("an age", () => {
  it.each([
    [-3, "just now"],
    [44, "just now"],
    [60, "1 min ago"],
    [5399, "90 min ago"],
    [5400, "2 h ago"],
    [86_400 * 9, "9 days ago"],
  ])("of %s seconds reads %s", (seconds, text) => expect(formatAge(seconds)).toBe(text));

  it.each([
    [12, "12 s"],
    [300, "5 min"],
    [100_000, "27 h 46 min"],
    [93_600, "26 h"],
    [777_600, "9 d"],
  ])("of %s seconds is %s as a figure", (seconds, text) => expect(formatSpan(seconds)).toBe(text));
});

describe("a moment", () => {
  it("is told on the clock of its zone", () => {
    const year = new Date().getFullYear();

    expect(formatIn(`${year}-07-21T01:30:00Z`, "Europe/Berlin")).toMatch(/21 Jul, 03:30$/u);
    expect(formatIn(`${year}-07-21T23:30:00Z`, "Europe/Berlin")).toMatch(/22 Jul, 01:30$/u);
  });

  it("names the year when it is another one", () =>
    expect(formatIn("2019-11-21T01:30:00Z", "UTC")).toBe("Thu, 21 Nov 2019, 01:30"));
});

it("makes a sentence of a message", () => expect(sentence("no room left")).toBe("No room left"));

describe("a moment that is picked", () => {
  const zones = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Asia/Tehran",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Atlantic/Azores",
    "America/Santiago",
  ];

  it.each(zones)("is the moment that was meant, the whole year round in %s", (zone) => {
    for (let at = Date.UTC(2026, 0, 1); at < Date.UTC(2027, 0, 1); at += 7 * HOUR + 17 * MINUTE + 17 * SECOND) {
      const found = momentIn(zonedInput(at, zone), zone);

      // A time that happens twice means the second.
      if (![0, HOUR, HOUR / 2].includes(found - at) || zonedInput(found, zone) !== zonedInput(at, zone)) {
        expect.fail(`${new Date(at).toISOString()} became ${new Date(found).toISOString()}`);
      }
    }
  });

  it("is the second of two, and none that is left out", () => {
    expect(new Date(momentIn("2026-10-25T02:30:00", "Europe/Berlin")).toISOString()).toBe("2026-10-25T01:30:00.000Z");
    expect(new Date(momentIn("2026-03-29T02:30:00", "Europe/Berlin")).toISOString()).toBe("2026-03-29T01:30:00.000Z");
    expect(momentIn("", "UTC")).toBeNaN();
  });

  it.each(["0002", "0020", "0099", "0202", "1899", "2026"])("stays as it is while its year is typed, at %s", (year) => {
    for (const zone of ["UTC", "America/New_York", "Asia/Kolkata"]) {
      expect(zonedInput(momentIn(`${year}-11-29T10:00:15`, zone), zone)).toBe(`${year}-11-29T10:00:15`);
    }
  });
});

describe("the clock of the page", () => {
  afterEach(() => localStorage.clear());

  it("is the one that is chosen in Airflow, with the schedule's own beside it where it differs", () => {
    localStorage.setItem("timezone", '"Asia/Tokyo"');
    expect(formatMoment("2019-11-21T01:30:00Z")).toBe("Thu, 21 Nov 2019, 10:30");
    expect(formatMoment("2019-11-21T01:30:00Z", "Asia/Tokyo")).toBe("Thu, 21 Nov 2019, 10:30");
    expect(formatMoment("2019-11-21T01:30:00Z", "Europe/Berlin")).toBe("Thu, 21 Nov 2019, 10:30 (02:30 Europe/Berlin)");
    expect(formatMoment("2019-11-20T23:30:00Z", "UTC")).toBe("Thu, 21 Nov 2019, 08:30 (Wed 20 Nov 2019 23:30 UTC)");
    expect(formatExact("2019-11-21T01:30:00Z", "UTC")).toMatch(/10:30:00 .*\(Asia\/Tokyo\) = .*01:30:00 UTC \(UTC\)$/u);
  });

  it("tells the time of a zone that the browser does not know on its own", () => {
    localStorage.setItem("timezone", '"Asia/Tokyo"');
    expect(formatIn("2019-11-21T01:30:00Z", "Mars/Olympus")).toBe("Thu, 21 Nov 2019, 10:30");
    expect(formatMoment("2019-11-21T01:30:00Z", "Mars/Olympus")).toBe("Thu, 21 Nov 2019, 10:30");
    expect(formatExact("2019-11-21T01:30:00Z", "Mars/Olympus")).toMatch(/^[^=]*\(Asia\/Tokyo\)$/u);
  });

  it("names the year where it is another one there, though not where the browser is", () => {
    vi.useFakeTimers({ now: Date.UTC(2026, 11, 31, 12) });
    expect(formatIn("2026-12-31T23:30:00Z", "Asia/Tokyo")).toBe("Fri, 1 Jan 2027, 08:30");
    expect(formatIn("2027-01-01T01:30:00Z", "America/New_York")).toBe("Thu 31 Dec, 20:30");
    vi.useRealTimers();
  });

  it.each(['"nowhere"', "not JSON", "7"])("is the browser's where %s is stored", (stored) => {
    localStorage.setItem("timezone", stored);
    expect(formatMoment("2019-11-21T01:30:00Z")).toBe(
      formatIn("2019-11-21T01:30:00Z", Intl.DateTimeFormat().resolvedOptions().timeZone),
    );
  });
});
