import { Body, ContentType, Get, HttpCode, Param, Post, Req, Res, UseBefore } from 'routing-controllers';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { EmailInput } from '../../http/email.input.js';
import { acceptParsedForm, formBody } from '../../http/form-body.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import { DETAIL, newPasswordSchema } from '../../http/json-schema.js';
import { LINK_PAGE, linkCookie, MAIL_TAG, MOVES_KEY_TO_COOKIE, redirectAnswer } from '../../http/link-descriptions.js';
import type { MailedPasswordFlow } from '../../http/mailed-password-flow.js';
import { errorsAsPages } from '../../http/pages/errors-as-pages.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { requireJson } from '../../http/require-json.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateInput } from '../../http/validate-input.js';
import { NewPasswordInput } from './new-password.input.js';
import type { PasswordByMailService } from './password-by-mail.service.js';
import type { PasswordForm } from './password-form.js';

const CLEARED = 'Clears the cookie of the link.';

/**
 * The routes from a mailed link to a new password. A reset and an invitation have the same routes, but different paths
 * and texts (`flow`).
 */
export function createMailedPasswordController(
  form: PasswordForm,
  flow: MailedPasswordFlow,
  { prefix, settings, originGuard, secondFactors }: ControllerParts,
) {
  const { id, setNewId, subject } = flow.described;
  const fields = { newPassword: newPasswordSchema(settings) };
  const cookie = linkCookie(flow.described.scheme, flow.cookie);

  @AuthController(prefix)
  class MailedPasswordController {
    @Get(`${flow.link}/:key`)
    @UseBefore(errorsAsPages)
    @DescribeRoute({
      ...LINK_PAGE,
      id: `open${id}`,
      summary: `Open the link of ${subject}`,
      description: MOVES_KEY_TO_COOKIE,
      answers: {
        303: redirectAnswer(flow.appForm ? "Redirects to the app's form." : 'Redirects to the form.', 'The form.'),
      },
    })
    async open(@Param('key') key: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return form.open(key, request, response);
    }

    @Post(flow.setNew)
    @UseBefore(originGuard, requireJson)
    @DescribeRoute({
      id: setNewId,
      tag: MAIL_TAG,
      summary: `Set the password of ${subject}, from the app's own form`,
      cookie,
      body: { input: NewPasswordInput, fields },
      answers: { 200: tokenAnswer('The password is set, and the user is signed in.', settings, [CLEARED]) },
      errors: [ErrorCode.TokenNotValid],
      isLimited: true,
      isIssuingTokens: true,
      secondFactors,
    })
    async setNew(
      @Body({ type: NewPasswordInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      return form.setNew(request, response, body);
    }

    @Get(flow.form)
    @UseBefore(errorsAsPages)
    @DescribeRoute({
      ...LINK_PAGE,
      id: `show${id}Form`,
      summary: `Show the form of ${subject}`,
      cookie,
      answers: { 200: { description: 'The form.', isPage: true } },
    })
    async form(@Req() request: HttpRequest, @Res() response: HttpResponse) {
      return form.showForm(request, response);
    }

    @Post(flow.form)
    @UseBefore(errorsAsPages, originGuard, acceptParsedForm)
    @ContentType('text/html')
    @DescribeRoute({
      ...LINK_PAGE,
      id: `submit${id}Form`,
      summary: `Submit the form of ${subject}`,
      cookie,
      body: { form: { type: 'object', properties: fields, required: ['newPassword'] } },
      answers: { 200: { description: 'The password is set.', headers: { 'Set-Cookie': CLEARED }, isPage: true } },
      // Only a cookie can sign the user in here: an HTML page cannot keep tokens.
      isIssuingTokens: settings.refreshTokenAsCookie,
    })
    async submit(@Body(formBody) body: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      return form.submitForm(request, response, body);
    }
  }
  return MailedPasswordController;
}

/** The route that requests a reset link. */
export function createPasswordResetController(
  { passwordByMail }: { readonly passwordByMail: PasswordByMailService },
  { prefix }: ControllerParts,
) {
  @AuthController(prefix, { name: 'passwordReset', isJsonOnly: true })
  class PasswordResetController {
    @Post('/password/reset')
    @HttpCode(202)
    @DescribeRoute({
      id: 'requestPasswordReset',
      tag: MAIL_TAG,
      summary: 'Request a link to set a new password',
      body: EmailInput,
      answers: { 202: { description: 'The same answer for every address.', json: DETAIL } },
      isLimited: true,
    })
    async request(@Body({ type: EmailInput, required: false }) body: unknown, @Req() request: HttpRequest) {
      await passwordByMail.request(validateInput(EmailInput, body).email, clientOf(request));
      return { detail: 'If there is an account with this address, a mail is on its way.' };
    }
  }
  return PasswordResetController;
}
