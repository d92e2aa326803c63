import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

// Airflow's page says where it is mounted; here it is below a path, as behind many a proxy.
const base = document.createElement("base");

base.href = "http://host/air/";
document.head.append(base);

afterEach(cleanup);
