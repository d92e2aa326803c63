import { createContext, useContext } from "react";

/** What opens the editor of a schedule; null where there is none, as on the page of a DAG. */
export const EditingContext = createContext<((id: string) => void) | null>(null);

export const useEditing = (): ((id: string) => void) | null => useContext(EditingContext);
