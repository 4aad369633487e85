/** Finds out why a worker did not load. Loaded when one did not. */

/** Asks the server what is wrong with a worker that did not load, for the browser does not tell. */
export async function diagnoseScript(url: string): Promise<string> {
  if (!/^(https?|blob|data):/.test(url)) return "the browser gives no reason";
  try {
    const response = await fetch(url);
    const type = response.headers.get("content-type") ?? "no type";
    if (!response.ok) return `the server answers ${response.status} ${response.statusText}`.trim();
    if (!/javascript|ecmascript/.test(type)) return `the server sends it as ${type}`;
    return "the script is there, but an import of it, its syntax or the page's CSP stops it";
  } catch (error) {
    return `it cannot be fetched (${String(error)})`;
  }
}
