import { Body, Post, Req, Res } from 'routing-controllers';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { HttpRequest, HttpResponse } from '../../http/http-message.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateInput } from '../../http/validate-input.js';
import { LoginInput } from './login.input.js';
import type { LoginService } from './login.service.js';

/** The route that signs users in. */
export function createLoginController(
  { login }: { readonly login: LoginService },
  { prefix, settings, transport, originGuard, secondFactors }: ControllerParts,
) {
  const isMandatory = settings.emailVerification === 'mandatory';

  @AuthController(prefix, { name: 'login', originGuard, isJsonOnly: true })
  class LoginController {
    @Post('/login')
    @DescribeRoute({
      id: 'login',
      tag: 'Sign-in',
      summary: 'Sign in',
      body: LoginInput,
      answers: { 200: tokenAnswer('Signed in.', settings) },
      errors: [
        ErrorCode.IncorrectCredentials,
        ErrorCode.NoActiveAccount,
        ...(isMandatory ? [ErrorCode.EmailNotVerified] : []),
      ],
      isLimited: true,
      isIssuingTokens: true,
      secondFactors,
    })
    async login(
      @Body({ type: LoginInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      const { email, password } = validateInput(LoginInput, body);
      const tokens = await login.login({ email, password, ...transport.clientOf(request) });
      return transport.signIn(request, response, tokens);
    }
  }
  return LoginController;
}
