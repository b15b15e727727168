import { Authorized, Body, CurrentUser, JsonController, Post, Req, Res, UseBefore } from 'routing-controllers';
import { Service } from 'typedi';
import type { PasswordChangeService } from '../accounts/password-change.service.js';
import { Principal } from '../authentication/principal.js';
import { clientOf, type HttpRequest, type HttpResponse } from './http-message.js';
import { PasswordChangeInput } from './inputs/password-change.input.js';
import { noStore } from './no-store.js';
import type { RefreshTokenTransport, TokenBody } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';
import { validateInput } from './validate-input.js';

/** The route that changes the password. */
export function createPasswordChangeController(
  prefix: string,
  passwordChange: PasswordChangeService,
  transport: RefreshTokenTransport,
) {
  @Service()
  @Authorized()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore, requireJson)
  class PasswordChangeController {
    @Post('/password/change')
    async change(
      @CurrentUser() principal: Principal,
      @Body({ type: PasswordChangeInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      const { oldPassword, newPassword } = validateInput(PasswordChangeInput, body, (given) =>
        passwordChange.faults(given, {}),
      );
      const tokens = await passwordChange.change(principal.claims, { oldPassword, newPassword, ...clientOf(request) });
      return transport.signIn(request, response, tokens);
    }
  }
  return PasswordChangeController;
}
