import { ActionBar, Button, Portal, Text } from "@chakra-ui/react";
import { useState } from "react";

import { type BulkAction, useBulk } from "../api/changes";
import type { BulkResults } from "../api/types";
import { exportUrl } from "../exchange/address";
import { formatCount } from "../format";
import { Confirm } from "../shared/Confirm";
import { Download } from "../shared/icons";
import { CALM } from "../shared/manners";
import { firstUntil, isToCome, Until, untilOf } from "../shared/dialogs";
import { tell, toaster } from "../shared/toaster";
import { tellError } from "../shared/toaster";

type BulkBarProps = { readonly ids: readonly string[]; readonly onClear: () => void };

const ACTIONS: readonly (readonly [BulkAction, string, string])[] = [
  ["enable", "Enable", "enabled"],
  ["disable", "Disable", "disabled"],
  ["run", "Run now", "started"],
  ["skip_next", "Skip next", "will skip their next run"],
];

/** What starts work, or ends protection, on many schedules is asked for once more. */
const ASKED_FOR: ReadonlySet<BulkAction> = new Set(["disable", "run"]);
const NAMED = 12;
/** An address names no more. */
const MOST_EXPORTED = 500;

/** The names, as many as a person reads. */
export const listed = (ids: readonly string[]): string =>
  ids.length <= NAMED ? ids.join(", ") : `${ids.slice(0, NAMED).join(", ")} and ${ids.length - NAMED} more`;

/** What came of it, in two lines: how many, and why the others refused. */
export const bulkText = ({ done, refused, results }: BulkResults, participle: string): [string, string | undefined] => {
  const [first] = results.filter((result) => !result.done);

  return [
    `${formatCount(done, "schedule")} ${participle}`,
    refused === 0 ? undefined : `${refused} refused, ${first?.schedule_id ?? ""}: ${first?.detail ?? ""}`,
  ];
};

/** One verb for all that are ticked. */
export const BulkBar = ({ ids, onClear }: BulkBarProps) => {
  const { isPending, mutate } = useBulk();
  const [isPausing, setPausing] = useState(false);
  const [until, setUntil] = useState(firstUntil);
  const [asked, setAsked] = useState<(typeof ACTIONS)[number] | null>(null);
  const act = (action: BulkAction, participle: string, more: { until?: string } = {}): void =>
    mutate(
      { action, ids, ...more },
      {
        onError: (error) => tellError("Nothing was done", error),
        onSuccess: (answer) => {
          const [title, description] = bulkText(answer, participle);

          setPausing(false);
          setAsked(null);
          if (description === undefined) {
            tell(title);
            onClear();
          } else {
            toaster.create({ description, duration: 9000, title, type: "warning" });
          }
        },
      },
    );

  return (
    <ActionBar.Root
      closeOnInteractOutside={false}
      onOpenChange={({ open }) => (open ? undefined : onClear())}
      open={ids.length > 0}
    >
      <Portal>
        <ActionBar.Positioner>
          <ActionBar.Content
            {...CALM}
            aria-label="What to do with the chosen schedules"
            flexWrap="wrap"
            justifyContent="center"
            maxW="calc(100vw - 1rem)"
          >
            <ActionBar.SelectionTrigger>{formatCount(ids.length, "schedule")}</ActionBar.SelectionTrigger>
            <ActionBar.Separator />
            {ACTIONS.map((each) => {
              const [action, label, participle] = each;

              return (
                <Button
                  disabled={isPending}
                  key={action}
                  onClick={() => (ASKED_FOR.has(action) && ids.length > 1 ? setAsked(each) : act(action, participle))}
                  size="sm"
                  variant="outline"
                >
                  {label}
                </Button>
              );
            })}
            <Button disabled={isPending} onClick={() => setPausing(true)} size="sm" variant="outline">
              Pause until…
            </Button>
            {ids.length <= MOST_EXPORTED ? (
              <Button asChild size="sm" variant="outline">
                <a download="schedules.yaml" href={exportUrl({ schedule: ids })}>
                  <Download /> Export
                </a>
              </Button>
            ) : (
              <Button
                disabled
                size="sm"
                title={`At most ${MOST_EXPORTED} chosen schedules; the menu exports all.`}
                variant="outline"
              >
                <Download /> Export
              </Button>
            )}
            <Button onClick={onClear} size="sm" variant="ghost">
              Clear
            </Button>
          </ActionBar.Content>
        </ActionBar.Positioner>
      </Portal>
      {isPausing ? (
        <Confirm
          action="Pause"
          isBusy={isPending}
          isReady={isToCome(until)}
          onClose={() => setPausing(false)}
          onConfirm={() => act("pause", "paused", { until: untilOf(until) })}
          title={`Pause ${formatCount(ids.length, "schedule")}`}
        >
          <Until onChange={setUntil} value={until} />
        </Confirm>
      ) : undefined}
      {asked === null ? undefined : (
        <Confirm
          action={asked[1]}
          isBusy={isPending}
          isReady
          onClose={() => setAsked(null)}
          onConfirm={() => act(asked[0], asked[2])}
          title={`${asked[1]}: ${formatCount(ids.length, "schedule")}`}
        >
          <Text fontSize="sm">{listed(ids)}</Text>
        </Confirm>
      )}
    </ActionBar.Root>
  );
};
