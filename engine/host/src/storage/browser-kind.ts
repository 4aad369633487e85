/** What the store must know of the browser under it, where no feature of it tells. */

const { navigator } = globalThis;

/** Whether this is Chromium, or a browser that is made of it. */
export const IS_CHROMIUM: boolean = "userAgentData" in (navigator ?? {});

/** Whether this is WebKit; Chromium says the same of itself. */
export const IS_WEBKIT: boolean = !IS_CHROMIUM && /AppleWebKit\//.test(navigator?.userAgent ?? "");
