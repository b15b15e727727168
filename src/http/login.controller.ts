import { Body, JsonController, Post, Req, Res, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import type { LoginService } from '../accounts/login.service.js';
import type { Before, HttpRequest, HttpResponse } from './http-message.js';
import { LoginInput } from './inputs/login.input.js';
import { noStore } from './no-store.js';
import type { RefreshTokenTransport, TokenBody } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The route that signs in. */
export function createLoginController(
  prefix: string,
  login: LoginService,
  transport: RefreshTokenTransport,
  csrf: Before,
) {
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, csrf, requireJson)
  class LoginController {
    @Post('/login')
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
