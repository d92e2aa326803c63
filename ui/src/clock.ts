import { useSyncExternalStore } from "react";

// The server's clock decides what is due; the browser's only counts the seconds in between.
let offset = 0;

export const setServerTime = (now: string): void => {
  const server = Date.parse(now);

  if (!Number.isNaN(server)) {
    offset = server - Date.now();
  }
};

export const serverNow = (): number => Date.now() + offset;

const listeners = new Set<() => void>();
let second = 0;
let timer: ReturnType<typeof setInterval> | undefined;

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  timer ??= setInterval(() => {
    second = Math.floor(serverNow() / 1000);
    listeners.forEach((tell) => tell());
  }, 1000);

  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
      second = 0;
    }
  };
};

const snapshot = (): number => {
  if (second === 0) {
    second = Math.floor(serverNow() / 1000);
  }

  return second;
};

/** The server's time in milliseconds, anew every second; one timer however many show it. */
export const useNow = (): number => useSyncExternalStore(subscribe, snapshot) * 1000;
