import { QueryClientProvider } from "@tanstack/react-query";

import { createClient } from "./api/queries";
import { BackupsPage } from "./pages/BackupsPage";
import { DagTab } from "./pages/DagTab";
import { Overview } from "./pages/Overview";

type HostProps = { readonly dagId?: string };

const client = createClient();

const Backups = () => (
  <QueryClientProvider client={client}>
    <BackupsPage />
  </QueryClientProvider>
);

const Backup = ({ dagId }: HostProps) => (
  <QueryClientProvider client={client}>
    <DagTab {...(dagId === undefined ? {} : { dagId })} key={dagId} />
  </QueryClientProvider>
);

const BackupsOverview = () => (
  <QueryClientProvider client={client}>
    <Overview />
  </QueryClientProvider>
);

// Airflow looks for each component under the name that the plugin gave it.
Object.assign(globalThis, { Backup, Backups, "Backups overview": BackupsOverview });
