import { type KeyboardEvent, type MouseEvent, useState } from "react";

/** How far a key goes on; keys that are not named do nothing. */
export type Keys = Readonly<Record<string, number>>;

const ROW: Keys = { ArrowDown: -1, ArrowLeft: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

/**
 * Which of many things is looked at: the one under the pointer, or the one that the arrow keys went to. One stop of the
 * tab key, and a screen reader says the text of each: the pattern of a slider.
 */
export const useSteps = (count: number, textOf: (index: number) => string, keys: Keys = ROW) => {
  const [at, setAt] = useState<number | null>(null);
  const current = at === null ? null : Math.min(at, count - 1);
  const last = count - 1;

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = keys[event.key];
    const next =
      step !== undefined
        ? Math.max(0, Math.min(last, (current ?? last) + step))
        : event.key === "Home"
          ? 0
          : event.key === "End"
            ? last
            : event.key === "Escape" && current !== null
              ? null
              : undefined;

    if (next !== undefined) {
      event.preventDefault();
      event.stopPropagation(); // else it closes the drawer, or scrolls it
      setAt(next);
    }
  };

  return {
    at: current,
    look: setAt,
    props: {
      "aria-valuemax": count,
      "aria-valuemin": 1,
      "aria-valuenow": (current ?? last) + 1,
      "aria-valuetext": textOf(current ?? last),
      onBlur: () => setAt(null),
      onFocus: () => setAt((before) => before ?? last),
      onKeyDown,
      onMouseLeave: () => setAt(null),
      role: "slider",
      tabIndex: 0,
    },
  };
};

/** The place of the pointer among so many equal columns. */
export const columnOf = ({ clientX, currentTarget }: MouseEvent, count: number): number => {
  const { left, width } = currentTarget.getBoundingClientRect();

  return Math.max(0, Math.min(count - 1, Math.floor((count * (clientX - left)) / Math.max(1, width))));
};
