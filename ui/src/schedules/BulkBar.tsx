import { ActionBar, Button, Portal } from "@chakra-ui/react";

import type { BulkAction } from "../api/changes";
import { exportUrl } from "../exchange/address";
import { formatCount } from "../format";
import { Download } from "../shared/icons";
import { CALM } from "../shared/manners";
import type { Target } from "./target";
import { useBulkVerb, VERBS } from "./useBulkVerb";

type BulkBarProps = {
  readonly onClear: () => void;
  /** Takes all that match, where there are more than are ticked; null where there are not. */
  readonly more: { readonly count: number; readonly isPending: boolean; readonly onChoose: () => void } | null;
  readonly target: Target;
};

const ACTIONS: readonly BulkAction[] = ["enable", "disable", "run", "skip_next"];
/** An address names no more. */
const MOST_EXPORTED = 500;

/** One verb for all that are ticked, or all that match. */
export const BulkBar = ({ more, onClear, target }: BulkBarProps) => {
  const { begin, dialog, isPending } = useBulkVerb(onClear);

  return (
    <ActionBar.Root
      closeOnInteractOutside={false}
      onOpenChange={({ open }) => (open ? undefined : onClear())}
      open={target.count > 0}
    >
      <Portal>
        {/* On a phone the bar stands beside Airflow's own, which lies above all else. */}
        <ActionBar.Positioner ps={{ base: "16", md: "0" }}>
          <ActionBar.Content
            {...CALM}
            aria-label="What to do with the chosen schedules"
            flexWrap="wrap"
            justifyContent="center"
            maxW={{ base: "calc(100vw - 5rem)", md: "calc(100vw - 1rem)" }}
          >
            <ActionBar.SelectionTrigger>{formatCount(target.count, "schedule")}</ActionBar.SelectionTrigger>
            {more === null ? undefined : (
              <Button loading={more.isPending} onClick={more.onChoose} size="sm" variant="plain">
                Choose all {more.count.toLocaleString("en-US")} that match
              </Button>
            )}
            <ActionBar.Separator />
            {ACTIONS.map((action) => (
              <Button
                disabled={isPending}
                key={action}
                onClick={() => begin(action, target)}
                size="sm"
                variant="outline"
              >
                {VERBS[action].label}
              </Button>
            ))}
            <Button disabled={isPending} onClick={() => begin("pause", target)} size="sm" variant="outline">
              Pause until…
            </Button>
            <ExportButton target={target} />
            <Button onClick={onClear} size="sm" variant="ghost">
              Clear
            </Button>
          </ActionBar.Content>
        </ActionBar.Positioner>
      </Portal>
      {dialog}
    </ActionBar.Root>
  );
};

const ExportButton = ({ target: { body } }: { readonly target: Target }) => {
  const { ids } = body;

  return ids === undefined || ids.length > MOST_EXPORTED ? (
    <Button
      disabled
      size="sm"
      title={`At most ${MOST_EXPORTED} chosen schedules; the menu exports all that match.`}
      variant="outline"
    >
      <Download /> Export
    </Button>
  ) : (
    <Button asChild size="sm" variant="outline">
      <a download="schedules.yaml" href={exportUrl({ schedule: ids })}>
        <Download /> Export
      </a>
    </Button>
  );
};
