import { JwtAllauthError } from '../../error.js';
import { errorsOf } from '../../error-table.js';

/** The errors of this feature. */
export const PASSKEY_ERRORS = {
  passkey_not_valid: { status: 400, detail: 'The passkey could not be added; try again.' },
  passkey_refused: {
    code: 'passkey_not_valid',
    status: 401,
    detail: 'The passkey is not valid here.',
    isAboutToken: false,
  },
  passkey_already_registered: { status: 409, detail: 'This passkey is registered already.' },
  passkey_not_found: { status: 404, detail: 'You have no such passkey.' },
  too_many_passkeys: { status: 409, detail: 'You have too many passkeys; remove one first.' },
  passkey_required_by_policy: {
    code: 'second_factor_required_by_policy',
    status: 409,
    detail: 'Every account must have a second factor.',
  },
} as const;

/** Makes an error of this feature. */
export const passkeyError = errorsOf(PASSKEY_ERRORS);

/** Whether an error says that a passkey is not valid. */
export function isRefusedPasskey(error: unknown): boolean {
  return error instanceof JwtAllauthError && error.code === ('passkey_not_valid' satisfies keyof typeof PASSKEY_ERRORS);
}
