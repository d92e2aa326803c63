import { Button, Flex, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useMaintenance } from "../api/changes";
import type { Maintenance } from "../api/types";
import { formatExact, formatMoment } from "../format";
import { Confirm } from "../shared/Confirm";
import { isToCome, Reason, Until, untilOf } from "../shared/dialogs";
import { Notice } from "../shared/Notice";
import { tell, tellError } from "../shared/toaster";

type BannerProps = { readonly maintenance: Maintenance; readonly mayEnd: boolean };

/** Why nothing starts, and the way out. */
export const MaintenanceBanner = ({ maintenance, mayEnd }: BannerProps) => {
  const { author, reason, since, until } = maintenance;
  const { isPending, mutate } = useMaintenance();

  return (
    <Notice palette="warning">
      <Flex align="center" gap="4" justify="space-between" wrap="wrap">
        <div>
          <Text fontWeight="semibold">
            No backup starts {until === null ? "until the maintenance is ended" : `until ${formatMoment(until)}`}
          </Text>
          <Text color="fg.muted" fontSize="sm" title={formatExact(since)}>
            Maintenance since {formatMoment(since)}, by {author}
            {reason === null ? "" : `: ${reason}`}. What is due meanwhile is skipped; what runs goes on to its end.
          </Text>
        </div>
        {mayEnd ? (
          <Button
            loading={isPending}
            onClick={() =>
              mutate(
                { enabled: false },
                {
                  onError: (error) => tellError("The maintenance was not ended", error),
                  onSuccess: () => tell("The maintenance is over", "Every schedule goes on as it is switched."),
                },
              )
            }
            size="sm"
            variant="outline"
          >
            End maintenance
          </Button>
        ) : undefined}
      </Flex>
    </Notice>
  );
};

export const MaintenanceDialog = ({ onClose }: { readonly onClose: () => void }) => {
  const [until, setUntil] = useState(NaN);
  const [reason, setReason] = useState("");
  const { isPending, mutate } = useMaintenance();
  const why = reason.trim();

  return (
    <Confirm
      action="Begin maintenance"
      isBusy={isPending}
      isReady={Number.isNaN(until) || isToCome(until)}
      onClose={onClose}
      onConfirm={() =>
        mutate(
          {
            enabled: true,
            ...(why === "" ? {} : { reason: why }),
            ...(Number.isNaN(until) ? {} : { until: untilOf(until) }),
          },
          {
            onError: (error) => tellError("The maintenance did not begin", error),
            onSuccess: onClose,
          },
        )
      }
      title="Begin maintenance"
    >
      <Text color="fg.muted" fontSize="sm">
        No backup starts, on schedule or by hand. What runs goes on to its end, and restores work as ever. Every
        schedule keeps its switch.
      </Text>
      <Until label="Until (left empty: until it is ended)" onChange={setUntil} value={until} />
      <Reason onChange={setReason} value={reason} />
    </Confirm>
  );
};
