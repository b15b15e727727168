import { JwtAllauthError } from '../../error.js';
import { errorsOf } from '../../error-table.js';

/** The errors of this feature. */
export const TOTP_ERRORS = {
  code_not_valid: { status: 400, detail: 'The code is not valid, or it was used before.' },
  totp_already_enabled: { status: 409, detail: 'You have an authenticator app already; remove it first.' },
  totp_not_enabled: { status: 409, detail: 'You have no authenticator app.' },
  second_factor_required_by_policy: { status: 409, detail: 'Every account must have a second factor.' },
} as const;

/** Makes an error of this feature. */
export const totpError = errorsOf(TOTP_ERRORS);

/** Whether an error says that a code is not valid. */
export function isWrongAnswer(error: unknown): boolean {
  return error instanceof JwtAllauthError && error.code === ('code_not_valid' satisfies keyof typeof TOTP_ERRORS);
}
