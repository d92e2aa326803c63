import { Badge } from "@chakra-ui/react";

import type { ExecutionStatus, ScheduleSummary } from "../api/types";
import { protectionOf, STATUSES } from "../words";

export const ProtectionBadge = ({ schedule }: { readonly schedule: ScheduleSummary }) => {
  const { label, palette } = protectionOf(schedule);

  return (
    <Badge colorPalette={palette} size="sm" variant="subtle">
      {label}
    </Badge>
  );
};

export const StatusBadge = ({ status }: { readonly status: ExecutionStatus }) => {
  const { label, palette } = STATUSES[status];

  return (
    <Badge colorPalette={palette} size="sm" variant="subtle">
      {label}
    </Badge>
  );
};
