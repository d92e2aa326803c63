import { useState } from "react";

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
