import { useCallback } from "react";

import { useFeed } from "../api/live";
import type { FeedEvent } from "../api/types";
import { toaster } from "../shared/toaster";

type Words = { readonly title: string; readonly type: "error" | "success" | "warning" };

const WORDS: Partial<Record<FeedEvent["event"], Words>> = {
  disabled: { title: "was disabled", type: "warning" },
  failed_final: { title: "failed", type: "error" },
  recovered: { title: "is well again", type: "success" },
  stale: { title: "is not safe", type: "error" },
  verification_failed: { title: "failed a verification", type: "error" },
};
const MOST = 3;

/** What a person should hear of at once; the rest shows by itself. */
export const newsOf = (event: FeedEvent): (Words & { description?: string }) | null => {
  const words = WORDS[event.event];

  if (words === undefined) {
    return null;
  }
  const { error, reason } = event.detail;
  const description = typeof error === "string" ? error : typeof reason === "string" ? reason : undefined;

  return {
    ...words,
    title: `${event.schedule_id ?? "Airflow"} ${words.title}`,
    ...(description === undefined ? {} : { description }),
  };
};

/** Shows what happens while the page is open, from the feed that mails and webhooks are made of. */
export const News = () => {
  const show = useCallback((events: readonly FeedEvent[]) => {
    const news = events.map(newsOf).filter((one) => one !== null);

    news.slice(-MOST).forEach((one) => toaster.create({ duration: 9000, ...one }));
    if (news.length > MOST) {
      toaster.create({ duration: 9000, title: `and ${news.length - MOST} more`, type: "info" });
    }
  }, []);

  useFeed(show);

  return null;
};
