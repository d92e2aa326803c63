import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { MemoryRouter, Route, Routes } from "react-router-dom";

import { createClient } from "../api/refresh";
import { BackupsPage } from "../pages/BackupsPage";

/** Draw a part of the page alone; return what keeps its answers. */
export const draw = (part: ReactNode): QueryClient => {
  const client = createClient();

  render(
    <ChakraProvider value={defaultSystem}>
      <QueryClientProvider client={client}>{part}</QueryClientProvider>
    </ChakraProvider>,
  );

  return client;
};

/** Draw the page "Backups" at an address; return what keeps its answers. */
export const show = (path = "/plugin/backup"): QueryClient =>
  draw(
    <MemoryRouter initialEntries={[path]}>
      <Routes>
        <Route element={<BackupsPage />} path="plugin/:page/*" />
      </Routes>
    </MemoryRouter>,
  );
