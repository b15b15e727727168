import { errorsOf } from '../../error-table.js';

/** The errors of this feature. */
export const ACCOUNT_ERRORS = {
  account_in_use: { status: 409, detail: 'The account cannot be deleted while other data belongs to it.' },
} as const;

/** Makes an error of this feature. */
export const accountError = errorsOf(ACCOUNT_ERRORS);
