import { QueryClientProvider } from "@tanstack/react-query";
import type { ComponentType } from "react";

import { createClient } from "./api/refresh";
import { BackupsPage } from "./pages/BackupsPage";
import { DagTab } from "./pages/DagTab";
import { Overview } from "./pages/Overview";
import { usePageZone } from "./zone";

type HostProps = { readonly dagId?: string };

const client = createClient();

// With another zone every time on the page reads otherwise: all of it is drawn again.
const Drawn = ({ view: View }: { readonly view: ComponentType }) => {
  usePageZone();

  return <View />;
};

const Backups = () => (
  <QueryClientProvider client={client}>
    <Drawn view={BackupsPage} />
  </QueryClientProvider>
);

const Backup = ({ dagId }: HostProps) => (
  <QueryClientProvider client={client}>
    <DagTab {...(dagId === undefined ? {} : { dagId })} key={dagId} />
  </QueryClientProvider>
);

const BackupsOverview = () => (
  <QueryClientProvider client={client}>
    <Drawn view={Overview} />
  </QueryClientProvider>
);

// Airflow looks for each component under the name that the plugin gave it.
Object.assign(globalThis, { Backup, Backups, "Backups overview": BackupsOverview });
