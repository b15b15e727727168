import { Body, OnUndefined, Post, QueryParam, Req, Res } from 'routing-controllers';
import { ErrorCode, JwtAllauthError } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import { RefreshInput } from '../../http/refresh.input.js';
import type { RefreshTokenTransport, TokenBody } from '../../http/refresh-token-transport.js';
import type { RouteAnswer } from '../../http/route-description.js';
import { refreshCredential, tokenAnswer } from '../../http/token-answers.js';
import type { RotationService } from '../../sessions/rotation.service.js';

/** The route that trades a refresh token for its successor. */
export function createRefreshController(
  { rotation }: { readonly rotation: RotationService },
  { prefix, settings, transport, originGuard }: ControllerParts,
) {
  /**
   * Browsers print each failed request to the console, also the one by which a page asks whether anybody is signed in.
   */
  const receiveIfAny = (
    request: HttpRequest,
    body: unknown,
  ): ReturnType<RefreshTokenTransport['receive']> | undefined => {
    try {
      return transport.receive(request, body);
    } catch (error) {
      if (error instanceof JwtAllauthError && error.code === ErrorCode.RefreshTokenMissing) return undefined;
      throw error;
    }
  };

  const nothing: Record<number, RouteAnswer> = settings.refreshTokenAsCookie
    ? { 204: { description: 'There is no refresh token, and the query has `quiet=true`.' } }
    : {};

  @AuthController(prefix, { originGuard, isJsonOnly: true })
  class RefreshController {
    @Post('/refresh')
    @OnUndefined(204)
    @DescribeRoute({
      id: 'refresh',
      tag: 'Sign-in',
      summary: 'Trade the refresh token for its successor',
      description: 'A retry within the grace gets the same successor; any other use of an old token ends the session.',
      ...refreshCredential(settings),
      ...(settings.refreshTokenAsCookie && {
        query: { quiet: 'With `true`, a request without a refresh token is answered by 204.' },
      }),
      answers: {
        200: tokenAnswer('The successors of both tokens.', settings),
        ...nothing,
      },
      errors: [
        ErrorCode.RefreshTokenMissing,
        ErrorCode.TokenNotValid,
        ErrorCode.RefreshTokenReused,
        ErrorCode.SessionExpired,
      ],
      isMinting: true,
    })
    async refresh(
      @Body({ type: RefreshInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
      @QueryParam('quiet', { required: false }) quiet?: string,
    ): Promise<TokenBody | undefined> {
      const presented = quiet === 'true' ? receiveIfAny(request, body) : transport.receive(request, body);
      if (presented === undefined) return undefined;
      return transport.deliver(request, response, await rotation.rotateAny(presented, clientOf(request)));
    }
  }
  return RefreshController;
}
