import { LINK_PATHS } from '../mail/link-paths.js';
import type { Settings } from '../settings/settings.js';
import type { OneTimeCookieName } from './one-time-cookie.js';

/** What a mailed key allows to set a password for. */
export type PasswordPurpose = 'password-reset' | 'invitation';

/** A way from a mailed link to a password. */
export interface MailedPasswordFlow {
  readonly purpose: PasswordPurpose;
  /** Path of the mailed link below the prefix, without its key. */
  readonly link: string;
  /** Path to which an app's own form sends the password, as JSON. */
  readonly setNew: string;
  /** Path of our form. */
  readonly form: string;
  /** The app's own form; undefined for ours. */
  readonly appForm: string | undefined;
  /** Title of our form. */
  readonly title: string;
  readonly cookie: OneTimeCookieName;
  /** Seconds for which the key is good at most. */
  readonly lifetime: number;
  /** What documents call it. */
  readonly described: {
    /** Part of the ids of its operations. */
    readonly id: string;
    /** The id of the operation that takes the password from an app's own form. */
    readonly setNewId: string;
    /** The security scheme of its cookie. */
    readonly scheme: string;
    /** What it is about, in a sentence. */
    readonly subject: string;
  };
}

/** How a forgotten password is replaced. */
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

/** How an invited person comes in. */
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
