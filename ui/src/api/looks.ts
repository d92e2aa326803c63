import { useMutation, useQuery } from "@tanstack/react-query";

import { get, post } from "./client";
import type { Answer, Started } from "./types";

/** How often is asked whether a worker has answered, in milliseconds. */
const EVERY = 1_500;

const isOver = (answer: Answer | undefined): boolean => answer?.state === "done" || answer?.state === "failed";

export type Question = { readonly body: Record<string, unknown>; readonly path: string };

/** Ask a worker to look at something, and wait for what it says; a new question takes the place of the one before. */
export const useLook = () => {
  const { data: started, error, isPending, mutate, reset } = useMutation({
    mutationFn: async ({ body, path }: Question) => post<Started>(path, body),
  });
  const runId = started?.run_id ?? null;
  const asked = useQuery({
    enabled: runId !== null,
    queryFn: ({ signal }) => get<Answer>(`answers/${encodeURIComponent(runId ?? "")}`, {}, signal),
    queryKey: ["backup-answer", runId],
    refetchInterval: ({ state }) => (isOver(state.data) ? false : EVERY),
    staleTime: Infinity,
  });
  const answer = runId === null ? undefined : asked.data;

  return {
    answer,
    ask: mutate,
    error: error ?? (answer === undefined ? asked.error : null),
    isBusy: isPending || (runId !== null && !isOver(answer) && !asked.isError),
    isSending: isPending,
    reset,
    started,
  };
};
