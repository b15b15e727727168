import { isIP } from 'node:net';

/** Whether a value is a domain for which browsers make passkeys. */
export function isRpId(value: unknown): boolean {
  const isDomain =
    typeof value === 'string' && /^[a-z\d]([a-z\d-]*[a-z\d])?(\.[a-z\d]([a-z\d-]*[a-z\d])?)*$/.test(value);
  return isDomain && isIP(value) === 0 && value.length <= 253;
}
