import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

// Airflow's page says where it is mounted; here it is below a path, as behind many a proxy.
const base = document.createElement("base");

base.href = "http://host/air/";
document.head.append(base);

// A machine that does other things too is slow, and not wrong.
configure({ asyncUtilTimeout: 8_000 });

afterEach(cleanup);
