import { useSyncExternalStore } from "react";

// Airflow's zone selector keeps its choice there, as JSON, and tells the same window by an event of its own.
const KEY = "timezone";
const EVENTS = ["storage", "local-storage"] as const;

const isZone = (name: unknown): name is string => {
  try {
    return typeof name === "string" && Intl.DateTimeFormat("en", { timeZone: name }).format(0) !== "";
  } catch {
    return false;
  }
};

const known = new Map<string, boolean>();

/** Whether the browser can tell the time of a zone: the server may know one that is newer than the browser. */
export const isKnownZone = (name: string): boolean => {
  const found = known.get(name) ?? isZone(name);

  known.set(name, found);

  return found;
};

const chosen = (): unknown => {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null");
  } catch {
    return null; // no storage, or not Airflow's
  }
};

/** The zone of all times on the page: the one that was chosen in Airflow, else the browser's. */
export const pageZone = (): string => {
  const name = chosen();

  return isZone(name) ? name : Intl.DateTimeFormat().resolvedOptions().timeZone;
};

const subscribe = (listener: () => void): (() => void) => {
  EVENTS.forEach((name) => window.addEventListener(name, listener));

  return () => EVENTS.forEach((name) => window.removeEventListener(name, listener));
};

/** The zone of the page, anew when another one is chosen. */
export const usePageZone = (): string => useSyncExternalStore(subscribe, pageZone);
