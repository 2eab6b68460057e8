const LONGEST_CHECK_MS = 2_000;

/**
 * Options of Nest's `FastifyAdapter` by which a request has arrived within a time, headers and body, or its connection ends. With
 * `requestTimeout` alone a slow body has a minute: Node.js takes the shorter of its two limits for the headers, and the
 * longer one, 60 s unless set, for the whole.
 * @param timeoutMs from the connection, or the end of the request before, to the last byte.
 */
export function requestLimits(timeoutMs: number) {
  return {
    requestTimeout: timeoutMs,
    http: {
      headersTimeout: timeoutMs,
      connectionsCheckingInterval: Math.min(timeoutMs / 4, LONGEST_CHECK_MS),
    },
  };
}
