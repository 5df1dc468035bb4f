// Talks to the sandbox's own API.

export class Refused extends Error {
  constructor(status, told) {
    const problem = told.problem ?? {};
    super([problem.title, problem.detail].filter(Boolean).join("：") || told.error || String(status));
    this.status = status;
    this.code = problem.code ?? "";
  }
}

async function ask(method, path, body) {
  const wanted = { method, headers: { Accept: "application/json" } };
  if (method === "POST") {
    wanted.headers["Content-Type"] = "application/json";
    wanted.body = JSON.stringify(body ?? {});
  }
  const answer = await fetch(`/_sandbox${path}`, wanted);
  const told = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}

export const get = (path) => ask("GET", path);
export const post = (path, body) => ask("POST", path, body);
