import { Badge } from "@chakra-ui/react";

import type { Condition, ExecutionStatus } from "../api/types";
import { CONDITIONS, STATUSES } from "../words";

export const ConditionBadge = ({ condition }: { readonly condition: Condition }) => {
  const { label, palette } = CONDITIONS[condition];

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
