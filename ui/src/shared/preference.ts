import { useCallback, useSyncExternalStore } from "react";

const PREFIX = "airflow-backup ";
const CHANGED = "airflow-backup-preference";

/** Where there is no storage, a choice lasts as long as the page. */
const kept = new Map<string, string>();

const read = (key: string): string | null => {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return kept.get(key) ?? null;
  }
};

const subscribe = (listener: () => void): (() => void) => {
  window.addEventListener("storage", listener);
  window.addEventListener(CHANGED, listener);

  return () => {
    window.removeEventListener("storage", listener);
    window.removeEventListener(CHANGED, listener);
  };
};

/** How somebody likes the page to look, kept in this browser: one of a few words, the first of them at first. */
export const usePreference = <Word extends string>(
  key: string,
  words: readonly [Word, ...Word[]],
): readonly [Word, (word: Word) => void] => {
  const [text, set] = useStored(key);

  return [words.find((word) => word === text) ?? words[0], set];
};

/** A text that is kept in this browser; null while nothing is. */
export const useStored = (key: string): readonly [string | null, (text: string) => void] => {
  const text = useSyncExternalStore(subscribe, () => read(key));
  const set = useCallback(
    (value: string) => {
      try {
        localStorage.setItem(PREFIX + key, value);
      } catch {
        kept.set(key, value);
      }
      window.dispatchEvent(new Event(CHANGED));
    },
    [key],
  );

  return [text, set];
};
