import { Button } from "@chakra-ui/react";

/** Nothing moves for those who asked their system for less of it. */
export const CALM = { _motionReduce: { animation: "none", transition: "none" } } as const;

/** Stronger greys for those who asked their system for more contrast; Airflow's theme has none of its own. */
export const CLEAR = {
  // The theme's own red is too pale for small letters on white.
  "--chakra-colors-fg-error": "var(--chakra-colors-failed-fg)",
  _moreContrast: {
    "--chakra-colors-border": "var(--chakra-colors-fg-muted)",
    "--chakra-colors-fg-muted": "var(--chakra-colors-fg)",
  },
} as const;

export const SCHEDULES_ID = "backup-schedules";

/** The first stop of the tab key: everything above the list is read before it otherwise, each time. */
export const SkipLink = () => (
  <Button
    _focusVisible={{ height: "auto", overflow: "visible", position: "static", width: "fit-content" }}
    alignSelf="flex-start"
    clipPath="inset(50%)"
    css={{ "&:focus-visible": { clipPath: "none" } }}
    height="1px"
    minW="0"
    onClick={() => document.getElementById(SCHEDULES_ID)?.focus()}
    overflow="hidden"
    position="absolute"
    size="sm"
    variant="outline"
    width="1px"
  >
    Skip to the schedules
  </Button>
);
