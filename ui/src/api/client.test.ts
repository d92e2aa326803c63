import { beforeEach, expect, it, vi } from "vitest";

import { serverNow } from "../clock";
import { ApiError, apiUrl, get, post } from "./client";

const answer = (status: number, body: unknown, type = "application/json"): Response =>
  new Response(typeof body === "string" ? body : JSON.stringify(body), { headers: { "Content-Type": type }, status });

const fetching = vi.fn<typeof fetch>();

beforeEach(() => {
  fetching.mockReset();
  vi.stubGlobal("fetch", fetching);
});

it("finds the API where Airflow is mounted", () =>
  expect(apiUrl("schedules", { limit: 5, q: "a b", state: "" })).toBe(
    "http://host/air/backup/api/v1/schedules?limit=5&q=a+b",
  ));

it("sends an object as JSON with every change", async () => {
  fetching.mockResolvedValue(answer(202, {}));
  await post("schedules/wiki/run");
  const [, init] = fetching.mock.calls[0] ?? [];

  expect(init).toMatchObject({ body: "{}", headers: { "Content-Type": "application/json" }, method: "POST" });
});

it("tells an error in the server's words", async () => {
  fetching.mockResolvedValue(answer(409, { detail: "it is disabled", hint: "enable it" }, "application/problem+json"));
  await expect(post("x")).rejects.toMatchObject({ hint: "enable it", message: "it is disabled", status: 409 });
});

it("has words for an answer that is no problem document", async () => {
  fetching.mockResolvedValue(answer(502, "<html>"));
  await expect(get("x")).rejects.toEqual(new ApiError(502, "the server answered 502"));
});

it("has words for no answer at all", async () => {
  fetching.mockRejectedValue(new TypeError("failed to fetch"));
  await expect(get("x")).rejects.toMatchObject({ message: "the server does not answer", status: 0 });
});

it("goes to the login when nobody is logged in", async () => {
  const assign = vi.spyOn(window.location, "assign").mockImplementation(() => undefined);

  fetching.mockResolvedValue(answer(401, {}));
  await expect(get("x")).rejects.toMatchObject({ status: 401 });
  expect(assign).toHaveBeenCalledWith(expect.stringContaining("http://host/air/api/v2/auth/login?next="));
});

it("learns the server's time from every answer", async () => {
  fetching.mockResolvedValue(answer(200, { now: "2030-01-01T00:00:00Z" }));
  await get("status");
  expect(Math.abs(serverNow() - Date.parse("2030-01-01T00:00:00Z"))).toBeLessThan(2000);
});
