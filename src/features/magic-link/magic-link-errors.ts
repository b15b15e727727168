import { errorsOf } from '../../error-table.js';

/** The errors of this feature. */
export const MAGIC_LINK_ERRORS = {
  mailed_code_not_valid: {
    code: 'code_not_valid',
    status: 401,
    detail: 'The code is not valid: it is wrong, was used, or has expired. Ask for a new mail after three tries.',
    isAboutToken: false,
  },
} as const;

/** Makes an error of this feature. */
export const magicLinkError = errorsOf(MAGIC_LINK_ERRORS);
