import { Badge, Box, Button, Flex, Stack, Text } from "@chakra-ui/react";
import { useId, useState } from "react";

import type { ScheduleSummary, SetPermissions, SetSummary } from "../api/types";
import { formatBytes, formatCount, formatMoment } from "../format";
import { Chevron } from "../shared/icons";
import { CALM } from "../shared/manners";
import { type Chain, type Link, proofsOf, railsOf } from "./chains";
import { Rails } from "./Rails";
import { SetItem } from "./SetItem";

/** More links than this are not all drawn at once: the first, and the newest. */
const MANY = 14;
const NEWEST = 10;

export type ListProps = {
  readonly permissions: SetPermissions;
  /** Of each set, by its id: what keeps it, or that it goes. */
  readonly reasons: ReadonlyMap<string, string>;
  readonly schedule: ScheduleSummary;
};

type ChainItemProps = ListProps & { readonly chain: Chain; readonly isOpenAtFirst: boolean };

/** A full set, and what hangs under it; a set that stands alone is just that. */
export const ChainItem = ({ chain, isOpenAtFirst, ...rest }: ChainItemProps) => {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const body = useId();
  const { full, links } = chain;

  if (full !== null && links.length === 0) {
    return (
      <Box as="li">
        <SetItem set={full} {...rest} />
      </Box>
    );
  }

  return (
    <Box as="li" data-testid="chain">
      <ChainHead
        body={body}
        chain={chain}
        isOpen={isOpen}
        onToggle={() => setOpen(!isOpen)}
        own={rest.schedule.timezone}
      />
      {isOpen ? (
        <Box id={body}>
          {full === null ? (
            <Text color="fg.muted" fontSize="xs" px="3" py="2">
              Its full set {chain.id} is not in this list.
            </Text>
          ) : (
            <SetItem set={full} {...rest} />
          )}
          <Links links={links} {...rest} />
        </Box>
      ) : undefined}
    </Box>
  );
};

type HeadProps = {
  readonly body: string;
  readonly chain: Chain;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
  readonly own: string;
};

const ChainHead = ({ body, chain, isOpen, onToggle, own }: HeadProps) => (
  <Button
    aria-controls={isOpen ? body : undefined}
    aria-expanded={isOpen}
    bg="bg.subtle"
    display="block"
    fontWeight="normal"
    height="auto"
    onClick={onToggle}
    px="3"
    py="2"
    rounded="none"
    textAlign="start"
    variant="ghost"
    whiteSpace="normal"
    width="full"
  >
    <Flex align="center" columnGap="2" rowGap="1" wrap="wrap">
      <Box color="fg.muted" flexShrink="0" transform={isOpen ? undefined : "rotate(-90deg)"} {...CALM}>
        <Chevron />
      </Box>
      <Text fontSize="sm" fontWeight="semibold">
        Chain of {formatCount(chain.sets.length, "set")}
      </Text>
      {proofsOf(chain).map(({ label, palette }) => (
        <Badge colorPalette={palette} key={label} size="xs" variant="subtle">
          {label}
        </Badge>
      ))}
      <Text color="fg.muted" fontSize="xs" ms="auto">
        {formatBytes(chain.bytes)}
      </Text>
    </Flex>
    <Text color="fg.muted" fontSize="xs" ps="6">
      {formatMoment(chain.oldest.consistent_at, own)} – {formatMoment(chain.newest.consistent_at, own)}
    </Text>
  </Button>
);

const Links = ({ links, ...rest }: ListProps & { readonly links: readonly Link[] }) => {
  const [isWhole, setWhole] = useState(false);
  const hidden = isWhole || links.length <= MANY ? 0 : links.length - NEWEST - 1;

  return (
    <Stack aria-label="What hangs under it" as="ol" gap="0" listStyleType="none">
      {links.map((link, index) =>
        index > 0 && index <= hidden ? (
          index === 1 ? (
            <Flex as="li" key="hidden" position="relative" ps="10" py="1">
              <Rails depth={1} goesOn={[true]} isBroken={links.slice(1, hidden + 1).some(isBroken)} isPlain />
              <Button onClick={() => setWhole(true)} size="2xs" variant="ghost">
                Show {hidden} sets between
              </Button>
            </Flex>
          ) : undefined
        ) : (
          <Box as="li" key={link.set.set_id} position="relative">
            <Rails depth={link.depth} goesOn={railsOf(links, index)} isBroken={isBroken(link)} />
            <SetItem depth={link.depth} set={link.set} {...rest} />
          </Box>
        ),
      )}
    </Stack>
  );
};

const isBroken = ({ set }: { readonly set: SetSummary }): boolean => set.unrestorable !== null;
