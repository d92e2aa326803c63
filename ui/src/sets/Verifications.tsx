import { Badge, Box, Flex, Text } from "@chakra-ui/react";

import type { VerificationNote } from "../api/types";
import { formatBytes, formatDuration, sentence } from "../format";
import { Few } from "../shared/Few";
import { Ago } from "../shared/moments";
import { LEVEL_NAMES, LEVELS, OUTCOMES } from "../words";
import { damagesOf } from "./damages";

/** Every look at a set, the newest first: how deep, what it found, what is damaged. */
export const Verifications = ({ of }: { readonly of: readonly VerificationNote[] }) =>
  of.length === 0 ? (
    <Text color="fg.muted" fontSize="xs">
      Nobody has looked at it since it was stored.
    </Text>
  ) : (
    <Few label="Verifications">
      {of.map((note) => (
        <Verification key={`${note.started_at} ${note.level}`} note={note} />
      ))}
    </Few>
  );

const Verification = ({ note }: { readonly note: VerificationNote }) => {
  const { label, palette } = OUTCOMES[note.outcome];
  const damages = damagesOf(note);

  return (
    <Box as="li" data-testid="verification">
      <Flex align="center" columnGap="2" fontSize="xs" wrap="wrap">
        <Badge colorPalette={palette} size="xs" variant="subtle">
          {label}
        </Badge>
        <Text>
          {LEVEL_NAMES[note.level]}: {LEVELS[note.level]}
        </Text>
        <Text color="fg.muted">
          <Ago at={note.finished_at} />, {lookOf(note)}
        </Text>
      </Flex>
      {note.reason === null ? undefined : (
        <Text color={note.outcome === "failed" ? "fg.error" : "fg.muted"} fontSize="xs" overflowWrap="anywhere">
          {sentence(note.reason)}
        </Text>
      )}
      {damages.length === 0 ? undefined : (
        <Box borderStartColor="failed.solid" borderStartWidth="2px" mt="1" ps="2">
          <Few label="Damaged blocks">
            {damages.map(({ concerns, what }, index) => (
              <Box as="li" fontSize="xs" key={`${index}-${what}`} overflowWrap="anywhere">
                {what}
                {concerns.length === 0 ? undefined : (
                  <Box color="fg.muted" ps="2">
                    <Few label="Files that it touches">
                      {concerns.map((path, place) => (
                        <Text as="li" fontFamily="mono" key={`${place}-${path}`}>
                          {path}
                        </Text>
                      ))}
                    </Few>
                  </Box>
                )}
              </Box>
            ))}
          </Few>
        </Box>
      )}
    </Box>
  );
};

const lookOf = ({
  bytes_read: bytes,
  finished_at: end,
  restore_seconds: restored,
  started_at: begin,
}: VerificationNote): string =>
  [
    `read ${formatBytes(bytes)} in ${formatDuration((Date.parse(end) - Date.parse(begin)) / 1000)}`,
    restored === null ? "" : `the restore took ${formatDuration(restored)}`,
  ]
    .filter(Boolean)
    .join(", ");
