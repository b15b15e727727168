import { LINK_PATHS } from './accounts/link-paths.js';
import { createAccountDeletionController } from './http/account-deletion.controller.js';
import type { ControllerParts } from './http/controller-parts.js';
import { createCsrfGuard } from './http/csrf.js';
import { createEmailChangeController } from './http/email-change.controller.js';
import { createEmailUndoController } from './http/email-undo.controller.js';
import { createEmailVerificationController } from './http/email-verification.controller.js';
import { createInvitationController } from './http/invitation.controller.js';
import { createJwksController } from './http/jwks.controller.js';
import { createLoginController } from './http/login.controller.js';
import { createLogoutController } from './http/logout.controller.js';
import { createMailedPasswordController } from './http/mailed-password.controller.js';
import { invitationFlow, type MailedPasswordFlow, passwordResetFlow } from './http/mailed-password-flow.js';
import { OneTimeCookie, type OneTimeCookieName } from './http/one-time-cookie.js';
import { PasswordByMail } from './http/password-by-mail.js';
import { createPasswordChangeController } from './http/password-change.controller.js';
import { createPasswordResetController } from './http/password-reset.controller.js';
import { createProfileController } from './http/profile.controller.js';
import { createRefreshController } from './http/refresh.controller.js';
import { createRegistrationController } from './http/registration.controller.js';
import { createSessionsController } from './http/sessions.controller.js';
import type { SignUpCookie } from './http/sign-up-cookie.js';
import { UndoByMail } from './http/undo-by-mail.js';
import type { AuthKernel } from './kernel.js';
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
