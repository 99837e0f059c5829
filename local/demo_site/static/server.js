// The demo's own server, which is the client of the service.

class Refused extends Error {}

export async function picture(asked) {
  const query = new URLSearchParams(Object.entries(asked).flatMap(([name, value]) => [value].flat().map((each) => [name, each])));
  return answer(await reach(`/api/week?${query}`));
}

export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  return answer(await reach(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Refused("The demo's server does not answer. Is the stack still running?");
  }
}

async function answer(response) {
  const body = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Refused(body.error);
  return body;
}
