const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether the host name of a URL is the own machine, so that a connection does not leave it. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}
