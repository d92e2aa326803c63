import { type RefObject, useLayoutEffect, useRef, useState } from "react";

type Spot = { name: string; tag: string; within: string | null };

/** Airflow makes our page anew whenever the address changes; what the keyboard was on outlives that here. */
let last: Spot | null = null;

const spotOf = (each: Element): Spot => ({
  name: each.getAttribute("aria-label") ?? each.getAttribute("name") ?? each.textContent,
  tag: each.tagName,
  within: each.closest("[data-testid]")?.getAttribute("data-testid") ?? null,
});

const find = (root: Element, spot: Spot): HTMLElement | undefined =>
  [...root.querySelectorAll<HTMLElement>(spot.tag)].find((each) => {
    const { name, within } = spotOf(each);

    return name === spot.name && within === spot.within;
  });

/** Gives the keyboard back where it was, after the address changed and after a drawer closed. */
export const useKeptFocus = (): RefObject<HTMLDivElement | null> => {
  const ref = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const root = ref.current;

    if (root !== null && last !== null && document.activeElement === document.body) {
      const spot = find(root, last);

      spot?.focus();
      if (spot instanceof HTMLInputElement && spot.type === "search") {
        spot.setSelectionRange(spot.value.length, spot.value.length);
      }
    }

    return () => {
      const active = document.activeElement;

      if (active !== null && root?.contains(active) === true) {
        last = spotOf(active);
      }
    };
  }, []);

  return ref;
};

/** What a keyboard was on: of a menu that closes, the button that opened it. */
const current = (): HTMLElement | null => {
  const active = document.activeElement;
  const menu = active?.closest("[role=menu]");
  const button = menu?.getAttribute("aria-labelledby");

  return typeof button === "string" ? document.getElementById(button) : active instanceof HTMLElement ? active : null;
};

/** Where the focus goes back to when something that was opened over the page closes again. */
export const useOpener = (isOpen: boolean): (() => HTMLElement | null) => {
  const [wasOpen, setWasOpen] = useState(false);
  const [opener, setOpener] = useState<HTMLElement | null>(null);

  if (isOpen !== wasOpen) {
    setWasOpen(isOpen);
    if (isOpen) {
      setOpener(current());
    }
  }

  return () => (opener?.isConnected === true ? opener : null);
};
