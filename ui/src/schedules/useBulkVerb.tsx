import { Text } from "@chakra-ui/react";
import { type ReactNode, useState } from "react";

import { type BulkAction, useBulk } from "../api/changes";
import type { BulkResults } from "../api/types";
import { formatCount } from "../format";
import { Confirm } from "../shared/Confirm";
import { firstUntil, isToCome, Until, untilOf } from "../shared/dialogs";
import { tell, tellError, toaster } from "../shared/toaster";
import type { Target } from "./target";

type Verb = { readonly label: string; readonly participle: string };

export const VERBS: Record<BulkAction, Verb> = {
  disable: { label: "Disable", participle: "disabled" },
  enable: { label: "Enable", participle: "enabled" },
  pause: { label: "Pause", participle: "paused" },
  run: { label: "Run now", participle: "started" },
  skip_next: { label: "Skip next", participle: "will skip their next run" },
};

/** What starts work, or ends protection, on many schedules is asked for once more. */
const ASKED_FOR: ReadonlySet<BulkAction> = new Set(["disable", "run"]);

/** What came of it, in two lines: how many, and why the others refused. */
export const bulkText = ({ done, refused, results }: BulkResults, participle: string): [string, string | undefined] => {
  const [first] = results.filter((result) => !result.done);

  return [
    `${formatCount(done, "schedule")} ${participle}`,
    refused === 0 ? undefined : `${refused} refused, ${first?.schedule_id ?? ""}: ${first?.detail ?? ""}`,
  ];
};

type BulkVerb = {
  /** Does it, or asks first. */
  readonly begin: (action: BulkAction, target: Target) => void;
  /** The question that is open. */
  readonly dialog: ReactNode;
  readonly isPending: boolean;
};

/** One verb on many schedules, with a question where much hangs on it, or nobody saw all of them. */
export const useBulkVerb = (onDone: () => void): BulkVerb => {
  const { isPending, mutate } = useBulk();
  const [asked, setAsked] = useState<{ action: BulkAction; target: Target } | null>(null);
  const act = (action: BulkAction, { body }: Target, more: { until?: string } = {}): void =>
    mutate(
      { action, ...body, ...more },
      {
        onError: (error) => tellError("Nothing was done", error),
        onSuccess: (answer) => {
          const [title, description] = bulkText(answer, VERBS[action].participle);

          setAsked(null);
          if (description === undefined) {
            tell(title);
            onDone();
          } else {
            toaster.create({ description, duration: 9000, title, type: "warning" });
          }
        },
      },
    );
  const begin = (action: BulkAction, target: Target): void => {
    const isAsked = action === "pause" || target.isUnseen || (ASKED_FOR.has(action) && target.count > 1);

    if (isAsked) {
      setAsked({ action, target });
    } else {
      act(action, target);
    }
  };

  return {
    begin,
    dialog:
      asked === null ? undefined : (
        <Question
          {...asked}
          isBusy={isPending}
          onClose={() => setAsked(null)}
          onConfirm={(more) => act(asked.action, asked.target, more)}
        />
      ),
    isPending,
  };
};

type QuestionProps = {
  readonly action: BulkAction;
  readonly isBusy: boolean;
  readonly onClose: () => void;
  readonly onConfirm: (more: { until?: string }) => void;
  readonly target: Target;
};

const Question = ({ action, isBusy, onClose, onConfirm, target }: QuestionProps) => {
  const [until, setUntil] = useState(firstUntil);
  const isPause = action === "pause";

  return (
    <Confirm
      action={VERBS[action].label}
      isBusy={isBusy}
      isReady={!isPause || isToCome(until)}
      onClose={onClose}
      onConfirm={() => onConfirm(isPause ? { until: untilOf(until) } : {})}
      title={`${VERBS[action].label}${isPause ? "" : ":"} ${formatCount(target.count, "schedule")}`}
    >
      <Text fontSize="sm" overflowWrap="anywhere">
        {target.text}
      </Text>
      {isPause ? <Until onChange={setUntil} value={until} /> : undefined}
    </Confirm>
  );
};
