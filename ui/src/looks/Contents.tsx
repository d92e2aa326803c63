import { Box, Button, Checkbox, Flex, Input, Link, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useLook } from "../api/looks";
import type { Entry, SetContents } from "../api/types";
import { formatBytes, formatCount, formatMoment } from "../format";
import { Failure } from "../shared/Failure";
import { Notice } from "../shared/Notice";
import { Message } from "../shared/Problem";
import { Waiting } from "./Waiting";

type Place = { readonly find: string | null; readonly folder: string };

const TOP: Place = { find: null, folder: "" };

type ContentsProps = {
  /** The paths that are chosen. */
  readonly chosen: readonly string[];
  readonly onChoose: (path: string, isChosen: boolean) => void;
  readonly setId: string;
};

/** Look into a set, folder by folder or by name, and choose what is brought back; a worker reads its index. */
export const Contents = ({ chosen, onChoose, setId }: ContentsProps) => {
  const { answer, ask, error, isBusy, started } = useLook();
  const [place, setPlace] = useState<Place | null>(null);
  // What was read once is not asked for again: a worker takes some seconds.
  const [known, setKnown] = useState<ReadonlyMap<string, SetContents>>(new Map());
  const key = JSON.stringify(place);
  const found = known.get(key) ?? (isBusy ? undefined : answer?.contents) ?? undefined;

  const go = (next: Place): void => {
    if (found !== undefined && place !== null) {
      setKnown((old) => new Map(old).set(key, found));
    }
    setPlace(next);
    if (!known.has(JSON.stringify(next))) {
      const body = next.find === null ? { folder: next.folder } : { find: next.find };

      ask({ body, path: `sets/${encodeURIComponent(setId)}/contents` });
    }
  };

  if (place === null) {
    return (
      <Button alignSelf="start" onClick={() => go(TOP)} size="xs" variant="outline">
        Look into the set …
      </Button>
    );
  }

  return (
    <Stack aria-label="What is in the set" as="section" borderWidth="1px" gap="0" rounded="md">
      <Flex align="center" borderBottomWidth="1px" gap="3" justify="space-between" p="2" wrap="wrap">
        <Way folder={place.find === null ? place.folder : ""} onGo={(folder) => go({ find: null, folder })} />
        <Find onFind={(find) => go({ find, folder: "" })} />
      </Flex>
      <Box maxH="72" overflowY="auto" p="2" tabIndex={0}>
        {found === undefined && isBusy ? <Waiting answer={answer} started={started} /> : undefined}
        {found === undefined && !isBusy && error !== null ? (
          <Failure error={error} onRetry={() => go(place)} what="What is in the set" />
        ) : undefined}
        {found === undefined && !isBusy && answer?.problem ? (
          <Notice palette="failed">
            <Message hint={answer.problem.hint} text={answer.problem.message} />
          </Notice>
        ) : undefined}
        {found === undefined ? undefined : (
          <List
            chosen={chosen}
            found={found}
            isSearch={place.find !== null}
            onChoose={onChoose}
            onOpen={(folder) => go({ find: null, folder })}
          />
        )}
      </Box>
    </Stack>
  );
};

type WayProps = { readonly folder: string; readonly onGo: (folder: string) => void };

/** The folders above, each a way back. */
const Way = ({ folder, onGo }: WayProps) => {
  const parts = folder.split("/").filter((part) => part !== "");
  const start = folder.startsWith("/") ? "/" : "";

  return (
    <Flex aria-label="Where in the set" as="nav" fontSize="sm" gap="1" wrap="wrap">
      <Link as="button" onClick={() => onGo("")}>
        Top
      </Link>
      {parts.map((part, index) => (
        <Text as="span" key={parts.slice(0, index + 1).join("/")}>
          <Text as="span" color="fg.muted">
            {"/ "}
          </Text>
          <Link as="button" onClick={() => onGo(start + parts.slice(0, index + 1).join("/"))}>
            {part}
          </Link>
        </Text>
      ))}
    </Flex>
  );
};

const Find = ({ onFind }: { readonly onFind: (pattern: string) => void }) => {
  const [text, setText] = useState("");
  const wanted = text.trim();

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        event.stopPropagation();
        if (wanted !== "") {
          onFind(/[*?[]/u.test(wanted) ? wanted : `*${wanted}*`);
        }
      }}
    >
      <Flex gap="2">
        <Input
          aria-label="Find a name in the set"
          maxLength={198}
          onChange={(event) => setText(event.target.value)}
          placeholder="Find: report or *.pdf"
          size="xs"
          type="search"
          value={text}
          width="44"
        />
        <Button disabled={wanted === ""} size="xs" type="submit" variant="outline">
          Find
        </Button>
      </Flex>
    </form>
  );
};

type ListProps = {
  readonly chosen: readonly string[];
  readonly found: SetContents;
  readonly isSearch: boolean;
  readonly onChoose: (path: string, isChosen: boolean) => void;
  readonly onOpen: (folder: string) => void;
};

const List = ({ chosen, found: { entries, total }, isSearch, onChoose, onOpen }: ListProps) => (
  <Stack gap="1">
    {entries.length === 0 ? (
      <Text color="fg.muted" fontSize="sm">
        {isSearch ? "Nothing has such a name." : "The folder is empty."}
      </Text>
    ) : undefined}
    <Stack as="ul" gap="1" listStyleType="none">
      {entries.map((entry) => (
        <Line
          entry={entry}
          isChosen={chosen.includes(entry.path)}
          key={entry.path}
          label={isSearch ? entry.path : entry.name}
          onChoose={onChoose}
          onOpen={onOpen}
        />
      ))}
    </Stack>
    {total > entries.length ? (
      <Text color="fg.muted" fontSize="xs">
        The first {entries.length.toLocaleString("en-US")} of {total.toLocaleString("en-US")}. Find what you look for by
        its name.
      </Text>
    ) : undefined}
  </Stack>
);

type LineProps = {
  readonly entry: Entry;
  readonly isChosen: boolean;
  readonly label: string;
  readonly onChoose: (path: string, isChosen: boolean) => void;
  readonly onOpen: (folder: string) => void;
};

const Line = ({ entry, isChosen, label, onChoose, onOpen }: LineProps) => {
  const why = whyNot(entry);

  return (
    <Flex align="center" as="li" data-testid="entry" fontSize="sm" gap="2">
      <Checkbox.Root
        checked={isChosen}
        disabled={why !== null}
        onCheckedChange={({ checked }) => onChoose(entry.path, checked === true)}
        size="sm"
        title={why ?? undefined}
      >
        <Checkbox.HiddenInput aria-label={`Restore ${label}`} />
        <Checkbox.Control />
      </Checkbox.Root>
      {entry.kind === "folder" ? (
        <Link as="button" fontFamily="mono" fontSize="xs" onClick={() => onOpen(entry.path)} textAlign="start">
          {label}/
        </Link>
      ) : (
        <Text fontFamily="mono" fontSize="xs" overflowWrap="anywhere">
          {label}
        </Text>
      )}
      <Text color="fg.muted" fontSize="xs" fontVariantNumeric="tabular-nums" ms="auto" whiteSpace="nowrap">
        {figures(entry)}
      </Text>
    </Flex>
  );
};

/** Why something cannot be chosen here; null where it can. */
const whyNot = ({ kind, path, restorable }: Entry): string | null => {
  if (kind === "unread") {
    return "It could not be read, and is not in the set";
  }
  if (!restorable) {
    return kind === "table" ? "Tables come back with the whole" : "Its name is no text: restore its folder";
  }

  return /[\r\n]/u.test(path) || path !== path.trim() ? "Its name does not fit in a line: restore its folder" : null;
};

const figures = ({ files, kind, modified, rows, size }: Entry): string =>
  [
    kind === "unread" ? "not read" : null,
    rows === null ? null : formatCount(rows, "row"),
    files === null ? null : formatCount(files, "file"),
    size === null ? null : formatBytes(size),
    modified === null ? null : formatMoment(modified),
  ]
    .filter((part) => part !== null)
    .join(" · ");
