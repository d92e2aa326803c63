import { defineConfig } from "vitest/config";

// The host's own copies: one React, one router, one theme, so that the page is part of Airflow's UI.
const HOST = {
  "@chakra-ui/react": "ChakraUI",
  react: "React",
  "react-dom": "ReactDOM",
  "react-router-dom": "ReactRouterDOM",
  "react/jsx-runtime": "ReactJSXRuntime",
};

export default defineConfig(({ mode }) => ({
  build: {
    emptyOutDir: true,
    lib: { entry: "src/main.tsx", fileName: () => "main.js", formats: ["iife"], name: "AirflowBackupPage" },
    outDir: "../plugin/static",
    rolldownOptions: {
      external: Object.keys(HOST),
      // Libraries mark their files for React's server components; there is no server here.
      onLog: (level, log, tell) => {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") {
          tell(level, log);
        }
      },
      output: { globals: HOST },
    },
    sourcemap: mode === "development",
  },
  define: mode === "test" ? {} : { "process.env.NODE_ENV": JSON.stringify(mode) },
  test: {
    testTimeout: 30_000,
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    setupFiles: ["src/test/setup.ts"],
  },
}));
