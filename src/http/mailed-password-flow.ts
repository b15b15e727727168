import { LINK_PATHS } from '../mail/link-paths.js';
import type { Settings } from '../settings/settings.js';

/** The reason why a mailed key may set a password. */
export type PasswordPurpose = 'password-reset' | 'invitation';

/** The steps from a mailed link to a new password. */
export interface MailedPasswordFlow {
  readonly purpose: PasswordPurpose;
  /** Path of the mailed link below the prefix, without its key. */
  readonly link: string;
  /** The path to which the app's own form sends the password as JSON. */
  readonly setNew: string;
  /** The path of the built-in form. */
  readonly form: string;
  /** The URL of the app's own form; undefined if the built-in form is used. */
  readonly appForm: string | undefined;
  /** The title of the built-in form. */
  readonly title: string;
  /** The name of the one-time cookie. */
  readonly cookie: string;
  /** Seconds until the key expires. */
  readonly lifetime: number;
  /** Names and descriptions for the OpenAPI document. */
  readonly described: {
    /** The common part of the operation ids. */
    readonly id: string;
    /** The id of the operation that accepts the password from the app's own form. */
    readonly setNewId: string;
    /** The security scheme of its cookie. */
    readonly scheme: string;
    /** The subject in the summaries. */
    readonly subject: string;
  };
}

/** The flow that replaces a forgotten password. */
export function passwordResetFlow({ passwordResetRedirect, passwordResetLifetime }: Settings): MailedPasswordFlow {
  return {
    purpose: 'password-reset',
    link: LINK_PATHS.passwordReset,
    setNew: '/password/reset/set-new',
    form: '/password/reset/form',
    appForm: passwordResetRedirect,
    title: 'Set a new password',
    cookie: 'password_reset_access_token',
    lifetime: passwordResetLifetime,
    described: {
      id: 'PasswordReset',
      setNewId: 'resetPassword',
      scheme: 'passwordResetCookie',
      subject: 'a forgotten password',
    },
  };
}

/** The flow by which an invited person sets the first password. */
export function invitationFlow({ passwordSetRedirect, invitationLifetime }: Settings): MailedPasswordFlow {
  return {
    purpose: 'invitation',
    link: LINK_PATHS.invitation,
    setNew: '/registration/set-password',
    form: '/registration/password-form',
    appForm: passwordSetRedirect,
    title: 'Choose a password',
    cookie: 'set_password_access_token',
    lifetime: invitationLifetime,
    described: {
      id: 'Invitation',
      setNewId: 'acceptInvitation',
      scheme: 'invitationCookie',
      subject: 'an invitation',
    },
  };
}
