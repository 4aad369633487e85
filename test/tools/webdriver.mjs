/** A client of the WebDriver protocol (W3C), as far as the tests need it. */

/** An error that the driver answered with; its name is the protocol's, such as "no such window". */
export class WebDriverError extends Error {
  constructor({ error, message }, what) {
    super(`${what}: ${error}${message ? `: ${message}` : ""}`);
    this.name = error;
  }
}

async function ask(method, url, body) {
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json" },
    ...(method === "POST" ? { body: JSON.stringify(body ?? {}) } : {}),
  });
  const text = await response.text();
  let value;
  try {
    value = JSON.parse(text).value;
  } catch {
    throw new WebDriverError(
      { error: `HTTP ${response.status}`, message: text },
      `${method} ${url}`,
    );
  }
  if (!response.ok) throw new WebDriverError(value, `${method} ${url}`);
  return value;
}

/** Whether a driver takes a new session; false when it does not answer. */
export async function isReady(driverUrl) {
  try {
    return (await ask("GET", `${driverUrl}/status`)).ready !== false;
  } catch {
    return false;
  }
}

/** One browser, from its start to {@link WebDriverSession.end}. */
export class WebDriverSession {
  #base;

  constructor(driverUrl, { sessionId, capabilities }) {
    this.#base = `${driverUrl}/session/${sessionId}`;
    this.capabilities = capabilities;
  }

  /** Starts a browser with the capabilities, all of which it must have. */
  static async start(driverUrl, capabilities) {
    const body = { capabilities: { alwaysMatch: capabilities } };
    return new WebDriverSession(driverUrl, await ask("POST", `${driverUrl}/session`, body));
  }

  /** Resolves once the page has loaded, or at once with the page load strategy "none". */
  async goTo(url) {
    await ask("POST", `${this.#base}/url`, { url });
  }

  async url() {
    return await ask("GET", `${this.#base}/url`);
  }

  /** What the body of a function returns in the page, or its promise resolves with. */
  async evaluate(script, args = []) {
    return await ask("POST", `${this.#base}/execute/sync`, { script, args });
  }

  /** Ends the browser. */
  async end() {
    await ask("DELETE", this.#base);
  }
}
