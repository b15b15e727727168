import { Body, CurrentUser, Post, Req, Res } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { HttpRequest, HttpResponse } from '../../http/http-message.js';
import { newPasswordSchema } from '../../http/json-schema.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateWholeInput } from '../../http/validate-input.js';
import { PasswordChangeInput } from './password-change.input.js';
import type { PasswordChangeService } from './password-change.service.js';

/** The route that changes the password. */
export function createPasswordChangeController(
  { passwordChange }: { readonly passwordChange: PasswordChangeService },
  { prefix, settings, transport, secondFactors }: ControllerParts,
) {
  @AuthController(prefix, { name: 'passwordChange', isBearer: true, isJsonOnly: true })
  class PasswordChangeController {
    @Post('/password/change')
    @DescribeRoute({
      id: 'changePassword',
      tag: 'Account',
      summary: 'Change the password',
      description: settings.logoutOnPasswordChange
        ? 'Revokes every older session and opens a new one.'
        : 'Revokes the session of the access token and opens a new one.',
      body: {
        input: PasswordChangeInput,
        fields: { newPassword: newPasswordSchema(settings) },
      },
      answers: { 200: tokenAnswer('The tokens of the new session.', settings) },
      errors: [
        ErrorCode.IncorrectCredentials,
        ...(settings.emailVerification === 'mandatory' ? [ErrorCode.EmailNotVerified] : []),
      ],
      isFresh: true,
      isLimited: true,
      isIssuingTokens: true,
      secondFactors,
    })
    async change(
      @CurrentUser() principal: SessionPrincipal,
      @Body({ type: PasswordChangeInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      const { oldPassword, newPassword } = await validateWholeInput(PasswordChangeInput, body, (given) =>
        passwordChange.faults(given, {}),
      );
      const client = transport.clientOf(request);
      const tokens = await passwordChange.change(principal.claims, { oldPassword, newPassword, ...client });
      return transport.signIn(request, response, tokens);
    }
  }
  return PasswordChangeController;
}
