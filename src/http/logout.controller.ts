import {
  Authorized,
  Body,
  CurrentUser,
  JsonController,
  OnUndefined,
  Post,
  Req,
  Res,
  UseBefore,
} from 'routing-controllers';
import { Service } from 'typedi';
import type { LogoutService } from '../accounts/logout.service.js';
import { Principal } from '../authentication/principal.js';
import { ErrorCode, JwtAllauthError } from '../error.js';
import type { Before, HttpRequest, HttpResponse } from './http-message.js';
import { RefreshInput } from './inputs/refresh.input.js';
import { noStore } from './no-store.js';
import type { RefreshTokenTransport } from './refresh-token-transport.js';
import { requireJson } from './require-json.js';
import { untransformed } from './untransformed.js';

/** The routes that sign out: here, and everywhere. */
export function createLogoutController(
  prefix: string,
  logout: LogoutService,
  transport: RefreshTokenTransport,
  csrf: Before,
) {
  @Service()
  @JsonController(prefix, untransformed)
  @UseBefore(noStore)
  class LogoutController {
    @Post('/logout')
    @UseBefore(csrf, requireJson)
    @OnUndefined(204)
    async logout(
      @Body({ type: RefreshInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<void> {
      const presented = transport.receiveAll(request, body);
      try {
        await logout.logoutAny(presented);
      } catch (error) {
        // A dead token is forgotten too; a token that could not be looked up is kept.
        if (error instanceof JwtAllauthError && error.code === ErrorCode.TokenNotValid) transport.forget(response);
        throw error;
      }
      transport.forget(response);
    }

    @Authorized()
    @Post('/logout-all')
    @OnUndefined(204)
    async logoutAll(@CurrentUser() principal: Principal, @Res() response: HttpResponse): Promise<void> {
      await logout.logoutAll(principal.claims);
      transport.forget(response);
    }
  }
  return LogoutController;
}
