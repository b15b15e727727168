import { Body, HttpCode, JsonController, Post, Req, Res, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import type { RegistrationService } from '../accounts/registration.service.js';
import type { PasswordRules } from '../users/password-rules.js';
import { type Before, clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { RegistrationInput } from './inputs/registration.input.js';
import { noStore } from './no-store.js';
import type { RefreshTokenTransport, TokenBody } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import type { SignUpCookie } from './sign-up-cookie.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The route that signs up. */
export function createRegistrationController(
  prefix: string,
  registration: RegistrationService,
  rules: PasswordRules,
  transport: RefreshTokenTransport,
  csrf: Before,
  /** Undefined where no sign-up waits for its mail. */
  browser?: SignUpCookie,
) {
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, csrf, requireJson)
  class RegistrationController {
    @Post('/registration')
    @HttpCode(201)
    async register(
      @Body({ type: RegistrationInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody | { readonly detail: string }> {
      const input = validateInput(RegistrationInput, body, (given) => rules.faults('password', given.password, given));
      const { tokens, mark } = await registration.register({ ...input, ...clientOf(request) });
      if (mark && browser) browser.cookie.set(response, mark, browser.lifetime);
      return tokens
        ? transport.signIn(request, response, tokens)
        : { detail: 'Open the link in the mail that was sent to you.' };
    }
  }
  return RegistrationController;
}
