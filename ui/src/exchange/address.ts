import { apiUrl } from "../api/client";

export type ExportChoice = { made?: boolean; q?: string; schedule?: readonly string[]; state?: string };

/** Where a browser loads schedules as one schedules file. */
export const exportUrl = (choice: ExportChoice = {}): string => apiUrl("export", choice);
