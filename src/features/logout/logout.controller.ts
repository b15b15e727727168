import { Authorized, Body, CurrentUser, OnUndefined, Post, Req, Res, UseBefore } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode, JwtAllauthError } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import type { HttpRequest, HttpResponse } from '../../http/http-message.js';
import { RefreshInput } from '../../http/refresh.input.js';
import { requireJson } from '../../http/require-json.js';
import { refreshCredential, signedOutAnswer } from '../../http/token-answers.js';
import type { LogoutService } from '../../sessions/logout.service.js';

/** The routes that sign out: from this session, or from all. */
export function createLogoutController(
  { logout }: { readonly logout: LogoutService },
  { prefix, settings, transport, originGuard }: ControllerParts,
) {
  @AuthController(prefix, { name: 'logout' })
  class LogoutController {
    @Post('/logout')
    @UseBefore(originGuard, requireJson)
    @OnUndefined(204)
    @DescribeRoute({
      id: 'logout',
      tag: 'Sessions',
      summary: 'Sign out',
      description: 'Revokes the session of the refresh token. Repeating it is not an error.',
      ...refreshCredential(settings),
      answers: { 204: signedOutAnswer('Signed out.', settings) },
      errors: [ErrorCode.RefreshTokenMissing, ErrorCode.TokenNotValid],
    })
    async logout(
      @Body({ type: RefreshInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<void> {
      const presented = transport.receiveAll(request, body);
      try {
        await logout.logoutAny(presented);
      } catch (error) {
        // An invalid token is removed as well. After any other error the token is kept, because it may still be valid.
        if (error instanceof JwtAllauthError && error.code === ErrorCode.TokenNotValid)
          transport.forget(request, response);
        throw error;
      }
      transport.forget(request, response);
    }

    @Authorized()
    @Post('/logout-all')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'logoutAll',
      tag: 'Sessions',
      summary: 'Sign out everywhere',
      answers: { 204: signedOutAnswer('Every session was revoked.', settings) },
    })
    async logoutAll(
      @CurrentUser() principal: SessionPrincipal,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<void> {
      await logout.logoutAll(principal.claims);
      transport.forget(request, response);
    }
  }
  return LogoutController;
}
