/**
 * Maximum time before its expiry at which a token is renewed, in milliseconds; a fifth of its lifetime if that is less.
 */
export const MAX_MARGIN_MS = 300_000;

/** Timeout of a request that changes the refresh token, in milliseconds. Other tabs wait until the request ends. */
export const TIMEOUT_MS = 30_000;

/** Time without an answer after which a refresh is sent again, in milliseconds. The first request keeps waiting. */
export const RESEND_AFTER_MS = 5000;

/**
 * Time after the first attempt to refresh within which the last one must start, in milliseconds: the default of the
 * server's grace period (REFRESH_REUSE_GRACE), less the time of a request.
 */
export const LAST_ATTEMPT_MS = 8000;
