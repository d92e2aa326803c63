import { apiUrl } from "../api/client";

export type ExportChoice = {
  group?: string;
  made?: boolean;
  q?: string;
  schedule?: readonly string[];
  source?: string;
  state?: string;
  tag?: string;
};

/** Where a browser loads schedules as one schedules file. */
export const exportUrl = (choice: ExportChoice = {}): string => apiUrl("export", choice);
