import { errorsOf } from '../../error-table.js';

/** The errors of this feature. */
export const REAUTHENTICATION_ERRORS = {
  mail_code_not_available: { status: 409, detail: 'Authenticate with your password or your second factor instead.' },
} as const;

/** Makes an error of this feature. */
export const reauthenticationError = errorsOf(REAUTHENTICATION_ERRORS);
