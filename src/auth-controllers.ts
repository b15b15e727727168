import { createAccountDeletionController } from './features/account/account-deletion.controller.js';
import { createProfileController } from './features/account/profile.controller.js';
import { createSessionsController } from './features/devices/sessions.controller.js';
import { createEmailChangeController } from './features/email/email-change.controller.js';
import { createEmailUndoController } from './features/email/email-undo.controller.js';
import { createEmailVerificationController } from './features/email/email-verification.controller.js';
import { UndoByMail } from './features/email/undo-by-mail.js';
import { createInvitationController } from './features/invitations/invitation.controller.js';
import { createJwksController } from './features/jwks/jwks.controller.js';
import { createLogoutController } from './features/logout/logout.controller.js';
import { createLoginController } from './features/password/login.controller.js';
import { createPasswordChangeController } from './features/password/password-change.controller.js';
import { createMailedPasswordController } from './features/password-by-mail/mailed-password.controller.js';
import { PasswordByMail } from './features/password-by-mail/password-by-mail.js';
import { createPasswordResetController } from './features/password-by-mail/password-reset.controller.js';
import { createRefreshController } from './features/refresh/refresh.controller.js';
import { createRegistrationController } from './features/registration/registration.controller.js';
import type { ControllerParts } from './http/controller-parts.js';
import { createCsrfGuard } from './http/csrf.js';
import { invitationFlow, type MailedPasswordFlow, passwordResetFlow } from './http/mailed-password-flow.js';
import { OneTimeCookie, type OneTimeCookieName } from './http/one-time-cookie.js';
import type { SignUpCookie } from './http/sign-up-cookie.js';
import type { AuthKernel } from './kernel.js';
import { LINK_PATHS } from './mail/link-paths.js';
import type { Logger } from './observability/logger.js';
import type { WarningLimit } from './observability/warning-limit.js';
import type { Class } from './service-maker.js';

/** What the controllers of one app are made from. */
export interface AuthControllersOptions extends Omit<ControllerParts, 'originGuard'> {
  readonly logger: Logger;
  /** Bounds what is logged of requests from foreign origins. */
  readonly warnings: WarningLimit;
}

/** Makes the controllers of one app, as its settings want them. */
export function createAuthControllers(services: AuthKernel, options: AuthControllersOptions): Class<object>[] {
  const { settings, logger, warnings } = options;
  const parts = { ...options, originGuard: createCsrfGuard(settings, logger, warnings) };
  const isAlwaysCookie = true;
  const mailParts = { ...options, originGuard: createCsrfGuard(settings, logger, warnings, { isAlwaysCookie }) };
  const { publicUrl } = settings;
  const waits = settings.emailVerification === 'mandatory' && publicUrl !== undefined;
  const browser = waits ? signUpCookie(parts, publicUrl) : undefined;
  return [
    ...(settings.adminManagedRegistration ? [] : [createRegistrationController(services, parts, browser)]),
    createLoginController(services, parts),
    createRefreshController(services, parts),
    createLogoutController(services, parts),
    createSessionsController(services, parts),
    createProfileController(services, parts),
    createPasswordChangeController(services, parts),
    createAccountDeletionController(services, parts),
    ...(publicUrl === undefined ? [] : createMailControllers(services, mailParts, publicUrl)),
    createJwksController(services, parts),
  ];
}

/** The controllers of what goes by mail, where links can be built. */
function createMailControllers(services: AuthKernel, parts: ControllerParts, publicUrl: string): Class<object>[] {
  const { pages, transport, prefix, settings } = parts;
  const passwordController = (flow: MailedPasswordFlow) => {
    const formUrl = `${publicPath(publicUrl, prefix).href}${flow.form}`;
    const cookie = oneTimeCookie(flow.cookie, parts, publicUrl);
    const byMail = new PasswordByMail({ ...services, pages, transport }, flow, { formUrl, cookie });
    return createMailedPasswordController(byMail, flow, parts);
  };
  return [
    createEmailVerificationController(services, parts, signUpCookie(parts, publicUrl)),
    createEmailChangeController(services, parts),
    createEmailUndoController(undoByMail(services, parts, publicUrl), parts),
    createPasswordResetController(services, parts),
    passwordController(passwordResetFlow(settings)),
    ...(settings.invitations
      ? [createInvitationController(services, parts), passwordController(invitationFlow(settings))]
      : []),
  ];
}

function undoByMail(kernel: AuthKernel, parts: ControllerParts, publicUrl: string): UndoByMail {
  const baseUrl = publicPath(publicUrl, parts.prefix).href;
  const { appForm, form, cookie, lifetime } = passwordResetFlow(parts.settings);
  const browser = {
    formUrl: baseUrl + LINK_PATHS.emailUndoForm,
    cookie: oneTimeCookie('email_undo_access_token', parts, publicUrl),
  };
  const password = { url: appForm ?? baseUrl + form, cookie: oneTimeCookie(cookie, parts, publicUrl), lifetime };
  return new UndoByMail({ ...kernel, pages: parts.pages }, browser, password);
}

/** Where browsers reach our controllers. */
function publicPath(publicUrl: string, prefix: string): URL {
  return new URL(`${publicUrl.replace(/\/$/, '')}${prefix}`);
}

function signUpCookie(parts: ControllerParts, publicUrl: string): SignUpCookie {
  const cookie = oneTimeCookie('email_verification_access_token', parts, publicUrl);
  return { cookie, lifetime: parts.settings.emailConfirmationLifetime };
}

function oneTimeCookie(
  name: OneTimeCookieName,
  { prefix, settings }: ControllerParts,
  publicUrl: string,
): OneTimeCookie {
  return new OneTimeCookie(name, publicPath(publicUrl, prefix).pathname, settings);
}
