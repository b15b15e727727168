import { Body, Post, Req, Res } from 'routing-controllers';
import type { LoginService } from '../accounts/login.service.js';
import { ErrorCode } from '../error.js';
import { AuthController } from './auth-controller.decorator.js';
import type { ControllerParts } from './controller-parts.js';
import { DescribeRoute } from './describe-route.decorator.js';
import type { HttpRequest, HttpResponse } from './http-message.js';
import { LoginInput } from './inputs/login.input.js';
import type { TokenBody } from './refresh-token-transport.js';
import { tokenAnswer } from './token-answers.js';
import { validateInput } from './validate-input.js';

/** The route that signs in. */
export function createLoginController(
  { login }: { readonly login: LoginService },
  { prefix, settings, transport, originGuard }: ControllerParts,
) {
  const isMandatory = settings.emailVerification === 'mandatory';

  @AuthController(prefix, { originGuard, isJsonOnly: true })
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
      isMinting: true,
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
